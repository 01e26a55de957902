"""One task: some images through a session, in this process or in another one."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runtime.errors import InputError
from runtime.preprocessing.prepared import Prepared
from runtime.tasks.classification import Prediction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from runtime.backends import Backend
    from runtime.session import Session


class TaskResult(NamedTuple):
    """The outputs of one task, as they go from one process to another.

    Attributes:
        probabilities: float32 (images that could be used, classes).
        notes: for each image the steps of its preprocessing, or what is wrong with it.
        seconds: the time it took.
    """

    probabilities: NDArray[np.float32]
    notes: list[tuple[str, ...] | InputError]
    seconds: float

    def predictions(self, labels: tuple[str, ...]) -> Iterator[Prediction | InputError]:
        """Yield one prediction, or one error, an image."""
        # Together: each call of numpy lets go of Python's lock, and waits for it again.
        rows = self.probabilities
        best = rows.argmax(axis=1).tolist(), rows.max(axis=1).tolist()
        ranked = zip(*best, rows, strict=True)
        for note in self.notes:
            if isinstance(note, InputError):
                yield note
            else:
                index, confidence, row = next(ranked)
                yield Prediction(labels[index], index, confidence, row, labels, note)


def run_task(session: Session, engine: Backend, images: Iterable[Any]) -> TaskResult:
    """Prepare some images and run them as one batch.

    Args:
        session: prepares them.
        engine: its ``backend``, or one like it.
        images: what :meth:`Classifier.predict_stream` takes.

    Raises:
        BackendError: the engine failed, or its output is NaN or infinite.
    """
    start = perf_counter()
    prepared = [_prepare(session, image) for image in images]
    shape = session.spec.shape
    good = [one.pixels.reshape(shape) for one in prepared if isinstance(one, Prepared)]
    rows = [session.probabilities(batch, engine) for batch in _batches(good)]
    empty = np.empty((0, len(session.labels)), np.float32)
    notes = [one.steps if isinstance(one, Prepared) else one for one in prepared]
    return TaskResult(np.concatenate(rows) if rows else empty, notes, perf_counter() - start)


def _prepare(session: Session, image: Any) -> Prepared | InputError:
    try:
        return image if isinstance(image, InputError) else session.prepare(image)
    except InputError as error:
        return error


def _batches(images: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Stack images; those of several dtypes, which mean other units, stay single."""
    if len({image.dtype for image in images}) == 1:
        return [np.stack(images)]
    return [image[None] for image in images]
