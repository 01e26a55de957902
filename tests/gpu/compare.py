"""MODEL BACKEND PRECISION BATCH.npy: how far a device is from the CPU, as JSON."""

from __future__ import annotations

import json
import sys

import numpy as np

from runtime.backends import BackendOptions
from runtime.errors import EdgeError
from runtime.modelfile import artifact as artifacts
from runtime.workers.opening import open_backend


def compare(model: str, backend: str, precision: str, batch_file: str) -> dict:
    """Run a batch on the CPU and on the GPU, there as a whole and in two parts."""
    batch, artifact = np.load(batch_file), artifacts.read(model)
    with open_backend(artifact, backend, BackendOptions("cpu")) as engine:
        wanted = engine.run(batch)
    with open_backend(artifact, backend, BackendOptions("gpu", precision=precision)) as engine:
        found = engine.run(batch)
        again = np.concatenate([engine.run(batch[:1]), engine.run(batch[1:])])
        where = {"device": engine.device, "accelerator": engine.accelerator}
    return where | {
        "max_difference": float(np.abs(found - wanted).max()),
        "of_batches": float(np.abs(found - again).max()),
        "flips": int((found.argmax(axis=1) != wanted.argmax(axis=1)).sum()),
    }


if __name__ == "__main__":
    try:
        answer = compare(*sys.argv[1:])
    except EdgeError as error:
        answer = {"error": str(error), "kind": type(error).__name__}
    sys.stdout.write(json.dumps(answer) + "\n")
