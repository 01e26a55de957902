"""Any number of images through a classifier, in order and in bounded memory."""

from __future__ import annotations

from functools import partial
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import InputError
from runtime.prediction import Prediction
from runtime.preprocess import Prepared

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from runtime.backends import Backend
    from runtime.classifier import Classifier

# Images in one task. Measured (tests/benchmarks/throughput.py): onnxruntime gains 1.2 to 1.3 x
# from 1 to 32 and 1.02 to 1.04 x from there to 256, LiteRT 1.03 x from 1 to 8; a task of 32 also
# makes the hand-over between threads too cheap to measure.
BATCH = 32


def stream(
    classifier: Classifier, images: Iterable[Any], workers: int
) -> Iterator[Prediction | InputError]:
    """Classify images; see :meth:`Classifier.predict_stream`.

    The first image goes alone through the engine that is open, so that its answer comes at
    once and one image starts no threads.
    """
    work = partial(_answer, classifier)
    tasks = _growing(iter(images))
    for task in islice(tasks, 1):
        yield from work(classifier.backend, task)
    second = next(tasks, None)
    if second is None:
        return
    rest = chain([second], tasks)
    pool = classifier.pool(workers)
    answers = pool.map(work, rest) if pool else (work(classifier.backend, task) for task in rest)
    for found in answers:
        yield from found


def _growing(images: Iterator[Any]) -> Iterator[list[Any]]:
    """Cut into tasks of 1, 1, 2, 4, … images: few large photos also keep all workers busy."""
    for power in count(-1):
        task = list(islice(images, min(BATCH, 2 ** max(power, 0))))
        if not task:
            return
        yield task


def _answer(
    classifier: Classifier, engine: Backend, images: Iterable[Any]
) -> list[Prediction | InputError]:
    """Answer one task: image by image where the engine takes one at a time.

    To prepare an image holds Python's lock, to run it does not: in small turns, two workers
    wait less for each other (1.3 to 1.5 times the images of one thread on two cores, against
    1.0 to 1.2 with 32 in turn; small PNG files).
    """
    if engine.input.shape[0] != 1:
        return _answer_together(classifier, engine, images)
    return [answer for image in images for answer in _answer_together(classifier, engine, [image])]


def _answer_together(
    classifier: Classifier, engine: Backend, images: Iterable[Any]
) -> list[Prediction | InputError]:
    prepared = [_prepare(classifier, image) for image in images]
    good = [one for one in prepared if isinstance(one, Prepared)]
    rows = iter(_scores(classifier, engine, good))
    answers: list[Prediction | InputError] = []
    for one in prepared:
        row = next(rows) if isinstance(one, Prepared) else one
        if isinstance(one, InputError) or isinstance(row, InputError):
            answers.append(row)
        else:
            answers.append(Prediction.of(row, classifier.labels, one.steps))
    return answers


def _prepare(classifier: Classifier, image: Any) -> Prepared | InputError:
    try:
        return classifier.prepare(image() if callable(image) else image)
    except InputError as error:
        return error


def _scores(
    classifier: Classifier, engine: Backend, images: list[Prepared]
) -> list[Any]:  # of rows of probabilities, and of errors
    """Answer all in one call; where one is refused, or they differ in dtype, one by one."""
    if not images:
        return []
    pixels = [one.pixels.reshape(classifier.spec.shape) for one in images]
    if len({one.dtype for one in pixels}) == 1:
        try:
            return list(classifier.score(engine, np.stack(pixels)))
        except InputError as error:
            if len(pixels) == 1:
                return [error]
    return [_score(classifier, engine, one) for one in pixels]


def _score(
    classifier: Classifier, engine: Backend, pixels: NDArray[Any]
) -> NDArray[np.float32] | InputError:
    try:
        row: NDArray[np.float32] = classifier.score(engine, pixels[None])[0]
    except InputError as error:
        return error
    return row
