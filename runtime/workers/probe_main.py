"""Process of :mod:`runtime.workers.probe`: opens a model file, predicts once, reports."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from runtime.backends import BackendOptions
from runtime.errors import EdgeError
from runtime.host.proc import colon_fields
from runtime.model import from_artifact
from runtime.modelfile import artifact as artifacts


def run_once(path: str, backend: str, options: str) -> dict[str, Any]:
    """Open a model file, predict once and say what was seen.

    Args:
        path: the model file.
        backend: an engine, or ``auto``.
        options: the fields of :class:`BackendOptions` as JSON.

    Returns:
        The fields of :class:`runtime.workers.probe.Probe` that the process itself knows.
    """
    start = perf_counter()
    try:
        artifact = artifacts.read(path)
        with from_artifact(artifact, backend, BackendOptions(**json.loads(options))) as classifier:
            loaded = perf_counter()
            grey = np.full((1, *classifier.spec.shape), 127, np.uint8)
            (answer,) = classifier.predict_batch(grey)
            done = perf_counter()
            engine = classifier.backend
            return {
                "backend": engine.name,
                "device": engine.device,
                "probabilities": [round(float(value), 6) for value in answer],
                "load_ms": round((loaded - start) * 1000, 3),
                "first_ms": round((done - loaded) * 1000, 3),
                "peak_mb": round(own_peak() / 1e6, 1),
            }
    except EdgeError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - an engine may raise anything, and it is asked why
        return {"error": f"{type(error).__name__}: {error}", "kind": type(error).__name__}


def own_peak() -> int:
    """Return the highest resident memory of this process so far, in bytes.

    ``ru_maxrss`` starts with the size of the program that started this one (getrusage(2):
    it is kept over execve), so it serves only where the kernel tells nothing better.
    """
    try:
        fields = colon_fields(Path("/proc/self/status").read_text(encoding="utf-8"))
        return int(fields["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(run_once(*sys.argv[1:])) + "\n")
