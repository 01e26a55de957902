"""Throughput in images per second, by batch size and by threads of one inference."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.benchmark.latency import repeat
from runtime.terminal.silence import silenced
from runtime.workers.opening import open_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from runtime.backends import Backend, BackendOptions
    from runtime.model import Classifier
    from runtime.preprocessing.spec import PreprocessSpec


@dataclass(frozen=True, slots=True)
class Rate:
    """Throughput with one batch size and number of threads.

    Attributes:
        batch: images per call.
        threads: of one inference.
        images_per_second: over the whole time, pauses included.

    Example:
        >>> Rate(8, 1, 1234.56).to_json()
        {'batch': 8, 'threads': 1, 'images_per_second': 1234.6}
    """

    batch: int
    threads: int
    images_per_second: float

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self) | {"images_per_second": round(self.images_per_second, 1)}


def measure_throughput(
    classifier: Classifier,
    options: BackendOptions,
    pixels: NDArray[Any],
    batches: Sequence[int],
    threads: Sequence[int],
    seconds: float,
) -> tuple[Rate, ...]:
    """Run batches back to back.

    Args:
        classifier: its file is opened again in its engine.
        options: the device; its threads are not used.
        pixels: one image of its size, (1, height, width, channels); a batch repeats it.
        batches: images per call.
        threads: of one inference.
        seconds: of timing, for each batch size and number of threads.

    Returns:
        One rate per batch size and number of threads, ordered by threads.

    Raises:
        BackendError: the engine refuses the file or fails.
        InputError: no time for it.

    Example::

        with runtime.load("mnist-cnn.int8.tflite") as classifier:
            rates = measure_throughput(
                classifier, BackendOptions(), pixels, (1, 8), (1, 4), seconds=0.5
            )
    """
    found = []
    for count in threads:
        with silenced():
            engine_options = replace(options, threads=count)
            opened = open_backend(classifier.artifact, classifier.backend.name, engine_options)
        with opened as engine:
            for size in batches:
                times = repeat(_call(engine, classifier.spec, pixels, size), seconds)
                found.append(Rate(size, count, images_per_second(times, size)))
    return tuple(found)


def images_per_second(nanoseconds: Sequence[int], batch: int) -> float:
    """Return the throughput of calls with ``batch`` images each.

    Example:
        >>> images_per_second([4_000_000, 4_000_000], batch=8)
        2000.0
    """
    return len(nanoseconds) * batch / sum(nanoseconds) * 1e9


def _call(
    engine: Backend, spec: PreprocessSpec, pixels: NDArray[Any], size: int
) -> Callable[[], object]:
    batch = np.repeat(pixels, size, axis=0)
    return lambda: engine.run_images(batch, spec)
