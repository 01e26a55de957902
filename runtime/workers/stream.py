"""Any number of images through a classifier, in order and in bounded memory."""

from __future__ import annotations

from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runtime.errors import InputError
from runtime.preprocessing.decode import is_picture, unusable
from runtime.preprocessing.prepared import Prepared
from runtime.tasks.classification import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from runtime.backends import Backend
    from runtime.model import Classifier
    from runtime.workers.worker import Companion

# Images in one task. Measured (tests/benchmarks/throughput.py): onnxruntime gains 1.2 to 1.3 x
# from 1 to 32 and 1.02 to 1.04 x from there to 256, LiteRT 1.03 x from 1 to 8; a task of 32 also
# makes the hand-over to a thread or a process cheap.
BATCH = 32
_TASK = 0.02  # seconds: an image of 3 ms more or less at the end leaves no worker idle for long
_TASK_BYTES = 8_000_000  # of ready arrays: they are copied to the companion
_ALONE = 0.3  # seconds of work: about what a companion takes to start


class Answers(NamedTuple):
    """The answers to one task, as they go from one process to another.

    Attributes:
        scores: float32 (images that were good, classes).
        notes: for each image the steps of its preprocessing, or what is wrong with it.
        seconds: what it took.
    """

    scores: NDArray[np.float32]
    notes: list[tuple[str, ...] | InputError]
    seconds: float

    def predictions(self, labels: tuple[str, ...]) -> Iterator[Prediction | InputError]:
        """Yield one prediction, or one error, an image."""
        # Together: each call of numpy lets go of Python's lock, and waits for it again.
        best = self.scores.argmax(axis=1).tolist(), self.scores.max(axis=1).tolist()
        rows = zip(*best, self.scores, strict=True)
        for note in self.notes:
            if isinstance(note, InputError):
                yield note
            else:
                index, confidence, row = next(rows)
                yield Prediction(labels[index], index, confidence, row, labels, note)


def stream(
    classifier: Classifier, images: Iterable[Any], workers: int
) -> Iterator[list[Prediction | InputError]]:
    """Classify images; see :meth:`Classifier.predict_in_groups`.

    The first images are answered here and at once. Where there are more than a moment's work,
    workers take over: engines in threads for arrays and pictures, processes for files, when
    they have started. Few images start none.
    """
    crew, pace = classifier.crew, _Pace()
    tasks = _tasks(iter(images), pace)
    for task in tasks:
        found = answer(classifier, classifier.backend, task)
        yield list(pace.noted(found).predictions(classifier.labels))
        if pace.seconds >= _ALONE or crew.is_open:
            for found in _together(classifier, task, tasks, workers):
                yield list(pace.noted(found).predictions(classifier.labels))


def _together(
    classifier: Classifier, last: list[Any], tasks: Iterator[list[Any]], workers: int
) -> Iterator[Answers]:
    """Answer what is left by all workers; nothing, while processes have yet to start."""
    if not all(isinstance(image, (str, bytes, Path)) for image in last):
        if engines := classifier.crew.engines(workers):
            yield from engines.map(partial(answer, classifier), tasks)
        return
    team = classifier.crew.companions(workers)
    if team and all(one.ready for one in team.workers):
        yield from team.map(_ask, tasks)


class _Pace:
    """How long images take, and so how many make a task: large photos fewer than icons.

    Attributes:
        seconds: of work so far.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._images = 0

    def noted(self, answers: Answers) -> Answers:
        """Take the time of a task into account."""
        self.seconds += answers.seconds
        self._images += len(answers.notes)
        return answers

    @property
    def images(self) -> int:
        """So many make a task."""
        return max(1, min(BATCH, int(_TASK * self._images / (self.seconds or 1.0))))


def answer(classifier: Classifier, engine: Backend, images: Iterable[Any]) -> Answers:
    """Prepare some images and answer them together.

    Args:
        classifier: prepares them.
        engine: its ``backend``, or one like it.
        images: what :meth:`Classifier.predict_stream` takes.

    Raises:
        BackendError: the engine failed, or answered with NaN or infinity.
    """
    start = perf_counter()
    prepared = [_prepare(classifier, image) for image in images]
    shape = classifier.spec.shape
    good = [one.pixels.reshape(shape) for one in prepared if isinstance(one, Prepared)]
    rows = [classifier.score(engine, part) for part in _alike(good)]
    scores = np.concatenate(rows) if rows else np.empty((0, len(classifier.labels)), np.float32)
    notes = [one.steps if isinstance(one, Prepared) else one for one in prepared]
    return Answers(scores, notes, perf_counter() - start)


def _ask(companion: Companion, images: Iterable[Any]) -> Answers:
    return companion.answer([_packed(image) for image in images])


def _packed(image: Any) -> Any:
    """Return what goes through a pipe: a path as text, which takes a tenth of the time."""
    if isinstance(image, Path):
        return str(image)
    known = isinstance(image, (str, bytes, np.ndarray, InputError)) or is_picture(image)
    if isinstance(image, np.ndarray) and image.dtype.hasobject:
        return InputError(f"an image must hold numbers, not {image.dtype}")
    return image if known else unusable(image)


def _tasks(images: Iterator[Any], pace: _Pace) -> Iterator[list[Any]]:
    while task := list(_up_to(_TASK_BYTES, islice(images, pace.images))):
        yield task


def _up_to(most: int, images: Iterator[Any]) -> Iterator[Any]:
    """End once what is in memory of the images reaches so many bytes."""
    size = 0
    while size < most:
        try:
            image = next(images)
        except StopIteration:
            return
        size += len(image) if isinstance(image, bytes) else getattr(image, "nbytes", 0)
        yield image


def _prepare(classifier: Classifier, image: Any) -> Prepared | InputError:
    try:
        return image if isinstance(image, InputError) else classifier.prepare(image)
    except InputError as error:
        return error


def _alike(images: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Stack images; those of several dtypes, which mean other units, stay single."""
    if len({image.dtype for image in images}) == 1:
        return [np.stack(images)]
    return [image[None] for image in images]
