"""Runs in the emulated Raspberry Pi: what one engine answers to many images, in one process.

python3 answers.py ENGINE IMAGES.npy OUT.json MODEL=COUNT...
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

import runtime
from runtime.workers.probe_service import own_peak


def answers(path, engine, images):
    """Return the probabilities and the operators that are left to run, or why it refused."""
    start = time.process_time()  # a busy machine changes it little
    try:
        with runtime.load(path, backend=engine) as classifier:
            loaded = time.process_time()
            rows = classifier.predict_batch(images)
            found = {
                "answers": rows.tolist(),
                "operators": operators(classifier.backend),
                "load_ms": round((loaded - start) * 1000),
            }
    except runtime.BackendError as error:
        return {"refused": str(error)}
    return found | {"image_ms": round((time.process_time() - loaded) / len(images) * 1000)}


def operators(backend):
    """Return the names of the operators of a TFLite interpreter; DELEGATE is XNNPACK."""
    interpreter = getattr(backend, "_interpreter", None)
    listed = [] if interpreter is None else interpreter._get_ops_details()
    return sorted({operator["op_name"] for operator in listed})


def main(engine, images, out, *asked):
    """Ask for each file and write one JSON object."""
    images, files = np.load(images), {}
    for path, _, count in (entry.rpartition("=") for entry in asked):
        files[Path(path).name] = answers(path, engine, images[: int(count)])
    found = {"files": files, "peak_mb": round(own_peak() / 1e6, 1)}
    Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
