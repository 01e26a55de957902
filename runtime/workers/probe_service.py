"""Service of :mod:`runtime.workers.probe`: opens a model file and predicts once."""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.backends import BackendOptions
from runtime.errors import EdgeError
from runtime.modelfile import artifact as artifacts
from runtime.proc import colon_fields
from runtime.session import Session
from runtime.workers.opening import open_backend

if TYPE_CHECKING:
    from runtime.workers.process import Channel


def serve(channel: Channel) -> None:
    """Receive the arguments of :func:`run_once`, and reply with its result."""
    channel.send(run_once(*channel.receive()))


def run_once(path: str, backend: str, options: dict[str, Any]) -> dict[str, Any]:
    """Open a model file, predict once and return the result.

    Args:
        path: the model file.
        backend: an engine, or ``auto``.
        options: the fields of :class:`BackendOptions`.

    Returns:
        Those fields of :class:`runtime.workers.probe.Probe` that are known in this process,
        as plain values: the parent may use another version of Python.

    Example::

        fields = run_once("mnist-cnn.int8.tflite", "auto", {"threads": 1})
    """
    start = perf_counter()
    try:
        artifact = artifacts.read(path)
        engine = open_backend(artifact, backend, BackendOptions(**options))
        with Session(artifact, engine) as session:
            loaded = perf_counter()
            grey = np.full((1, *session.spec.shape), 127, np.uint8)
            (row,) = session.probabilities(grey)
            done = perf_counter()
            return {
                "backend": engine.name,
                "device": engine.device,
                "probabilities": tuple(round(float(value), 6) for value in row),
                "load_ms": round((loaded - start) * 1000, 3),
                "first_ms": round((done - loaded) * 1000, 3),
                "peak_mb": round(own_peak() / 1e6, 1),
            }
    except EdgeError as error:
        return {"error": str(error), "kind": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - an engine may raise anything; it is reported
        return {"error": f"{type(error).__name__}: {error}", "kind": type(error).__name__}


def own_peak() -> int:
    """Return the peak resident memory of this process so far, in bytes.

    ``ru_maxrss`` starts with the memory of the parent (getrusage(2): it is kept over execve),
    so it is used only if the kernel reports nothing better.

    Example:
        >>> own_peak() > 1_000_000
        True
    """
    try:
        fields = colon_fields(Path("/proc/self/status").read_text(encoding="utf-8"))
        return int(fields["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
