"""Cost of the first prediction of a program, measured in fresh processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from runtime.workers.probe import must_run

if TYPE_CHECKING:
    from pathlib import Path

    from runtime.backends import BackendOptions


@dataclass(frozen=True, slots=True)
class Fresh:
    """Start of a process with a model file; medians if there were several.

    Attributes:
        load_ms: import of the engine and opening of the file. The file itself is in the
            system's cache, since it has just been read.
        first_ms: the first prediction, preprocessing of a grey array included.
        peak_rss_mb: the highest resident memory of any of the processes, Python and numpy
            included, in MB (1,000,000 bytes).
        fresh_processes: number of processes.

    Example:
        >>> Fresh(load_ms=52.1, first_ms=0.9, peak_rss_mb=61.0, fresh_processes=3).load_ms
        52.1
    """

    load_ms: float
    first_ms: float
    peak_rss_mb: float
    fresh_processes: int

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def measure_fresh(path: Path, backend: str, options: BackendOptions, processes: int = 3) -> Fresh:
    """Open a model file and predict once, each time in a new process.

    Args:
        path: a model file.
        backend: an engine.
        options: device and threads.
        processes: number of processes, one after the other.

    Raises:
        BackendError: the file does not run in a process of its own.

    Example::

        fresh = measure_fresh(Path("mnist-cnn.int8.tflite"), "litert", BackendOptions())
    """
    found = [must_run(path, backend, options) for _ in range(processes)]
    return Fresh(
        load_ms=round(median(one.load_ms for one in found), 3),
        first_ms=round(median(one.first_ms for one in found), 3),
        peak_rss_mb=max(one.peak_mb for one in found),
        fresh_processes=processes,
    )
