"""Prediction of any number of images, in order and in bounded memory."""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from runtime.errors import InputError
from runtime.preprocessing.decode import is_picture, unusable
from runtime.workers.task import TaskResult, run_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runtime.backends import Backend
    from runtime.session import Session
    from runtime.tasks.classification import Prediction
    from runtime.workers.prediction_process import PredictionProcess
    from runtime.workers.workers import Workers

Key = TypeVar("Key")

# Images per task. Measured (tests/benchmarks/throughput.py): onnxruntime gains 1.2 to 1.3 x
# from 1 to 32 and 1.02 to 1.04 x from there to 256, LiteRT 1.03 x from 1 to 8; with 32 images the
# cost of passing a task to a thread or a process is also small.
BATCH = 32
_TASK_SECONDS = 0.02  # short, so that at the end no worker is idle for long
_TASK_BYTES = 8_000_000  # of arrays, which are copied to the process
_START_SECONDS = 0.3  # of work: about the time to start a process


def stream(
    session: Session, workers: Workers, pairs: Iterable[tuple[Key, Any]], count: int
) -> Iterator[list[tuple[Key, Prediction | InputError]]]:
    """Predict images; see :meth:`Classifier.predict_pairs`.

    The first images are predicted in the calling thread. If there is more work, workers take
    over: engines in threads for arrays and Pillow images, processes for files, once they have
    started. A few images start none.

    Args:
        session: the open model.
        workers: its workers, started if needed.
        pairs: a key chosen by the caller and an input of :meth:`Classifier.predict_stream`.
        count: number of workers.

    Yields:
        The keys with their predictions, those of one task together.

    Example::

        pairs = ((path.name, path) for path in Path("photos").iterdir())
        for group in stream(session, Workers(session), pairs, count=4):
            for name, prediction in group:
                print(name, prediction)
    """
    return _Stream(session, workers, count).run(iter(pairs))


class _Stream:
    """One stream: its session, its workers and the measured time per image."""

    def __init__(self, session: Session, workers: Workers, count: int) -> None:
        self._session, self._workers, self._count = session, workers, count
        self._pace = _Pace()

    def run(
        self, pairs: Iterator[tuple[Key, Any]]
    ) -> Iterator[list[tuple[Key, Prediction | InputError]]]:
        tasks = _tasks(pairs, self._pace)
        for task in tasks:
            yield self._predictions(_run_locally(self._session, self._session.backend, task))
            if self._pace.seconds >= _START_SECONDS or self._workers.is_open:
                for done in self._parallel(task, tasks):
                    yield self._predictions(done)

    def _parallel(
        self, last: list[tuple[Key, Any]], tasks: Iterator[list[tuple[Key, Any]]]
    ) -> Iterator[tuple[list[Key], TaskResult]]:
        """Predict the remaining tasks with all workers; nothing until processes have started."""
        if not all(isinstance(image, (str, bytes, Path)) for _, image in last):
            if engines := self._workers.engines(self._count):
                yield from engines.map(partial(_run_locally, self._session), tasks)
            return
        processes = self._workers.processes(self._count)
        if processes and all(one.ready for one in processes.workers):
            yield from processes.map(_run_remotely, tasks)

    def _predictions(
        self, done: tuple[list[Key], TaskResult]
    ) -> list[tuple[Key, Prediction | InputError]]:
        keys, result = done
        self._pace.add(result)
        return list(zip(keys, result.predictions(self._session.labels), strict=True))


class _Pace:
    """Time per image, and the images per task that follow from it: fewer for large photos.

    Attributes:
        seconds: total time so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._images = 0

    def add(self, result: TaskResult) -> None:
        """Add the time of a task."""
        self.seconds += result.seconds
        self._images += len(result.notes)

    @property
    def images(self) -> int:
        """Number of images per task."""
        return max(1, min(BATCH, int(_TASK_SECONDS * self._images / (self.seconds or 1.0))))


def _run_locally(
    session: Session, engine: Backend, pairs: Iterable[tuple[Key, Any]]
) -> tuple[list[Key], TaskResult]:
    keys: list[Key] = []
    return keys, run_task(session, engine, _images(pairs, keys))


def _run_remotely(
    process: PredictionProcess, pairs: Iterable[tuple[Key, Any]]
) -> tuple[list[Key], TaskResult]:
    keys: list[Key] = []
    return keys, process.predict([_packed(image) for image in _images(pairs, keys)])


def _images(pairs: Iterable[tuple[Key, Any]], keys: list[Key]) -> Iterator[Any]:
    """Yield the images, and append their keys to a list."""
    for key, image in pairs:
        keys.append(key)
        yield image


def _packed(image: Any) -> Any:
    """Return an image as it is pickled: a path as text, which takes a tenth of the time."""
    if isinstance(image, Path):
        return str(image)
    known = isinstance(image, (str, bytes, np.ndarray, InputError)) or is_picture(image)
    if isinstance(image, np.ndarray) and image.dtype.hasobject:
        return InputError(f"an image must hold numbers, not {image.dtype}")
    return image if known else unusable(image)


def _tasks(pairs: Iterator[tuple[Key, Any]], pace: _Pace) -> Iterator[list[tuple[Key, Any]]]:
    while task := list(_up_to(_TASK_BYTES, islice(pairs, pace.images))):
        yield task


def _up_to(most: int, pairs: Iterator[tuple[Key, Any]]) -> Iterator[tuple[Key, Any]]:
    """Yield pairs until their images have so many bytes in memory."""
    size = 0
    while size < most:
        try:
            key, image = next(pairs)
        except StopIteration:
            return
        size += len(image) if isinstance(image, bytes) else getattr(image, "nbytes", 0)
        yield key, image
