"""One task of a worker: images through a session, in this process or in another one."""

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
    """Result of one task, as it is sent from one process to another.

    Attributes:
        probabilities: float32 (valid images, classes).
        notes: for each image the steps of its preprocessing, or its error.
        seconds: duration of the task.

    Example:
        >>> result = TaskResult(np.array([[0.25, 0.75]], np.float32), [("resize",)], 0.1)
        >>> [prediction.label for prediction in result.predictions(("cat", "dog"))]
        ['dog']
    """

    probabilities: NDArray[np.float32]
    notes: list[tuple[str, ...] | InputError]
    seconds: float

    def predictions(self, labels: tuple[str, ...]) -> Iterator[Prediction | InputError]:
        """Yield one prediction or one error per image."""
        # For all rows at once: each call of numpy releases Python's lock and waits for it again.
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
    """Preprocess images and run them as one batch.

    Args:
        session: the open model.
        engine: its ``backend``, or an equal one of a worker.
        images: inputs of :meth:`Classifier.predict_stream`.

    Raises:
        BackendError: the engine failed, or its output is NaN or infinite.

    Example::

        result = run_task(session, session.backend, ["one.png", "two.png"])
    """
    start = perf_counter()
    prepared = [_prepare(session, image) for image in images]
    shape = session.spec.shape
    valid = [one.pixels.reshape(shape) for one in prepared if isinstance(one, Prepared)]
    rows = [session.probabilities(batch, engine) for batch in _batches(valid)]
    empty = np.empty((0, len(session.labels)), np.float32)
    notes = [one.steps if isinstance(one, Prepared) else one for one in prepared]
    return TaskResult(np.concatenate(rows) if rows else empty, notes, perf_counter() - start)


def _prepare(session: Session, image: Any) -> Prepared | InputError:
    try:
        return image if isinstance(image, InputError) else session.prepare(image)
    except InputError as error:
        return error


def _batches(images: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Stack images into one batch; images of several dtypes, thus units, become single batches."""
    if len({image.dtype for image in images}) == 1:
        return [np.stack(images)]
    return [image[None] for image in images]
