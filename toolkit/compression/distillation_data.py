"""What a student learns from: moved training images with the answers of the teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.training.augmentation import CopyMoves, moved
from toolkit.training.input_pipeline import ModelInput, batches

if TYPE_CHECKING:
    from collections.abc import Callable

    import tensorflow as tf
    from numpy.typing import NDArray

    from runtime.preprocessing.spec import PreprocessSpec
    from toolkit.compression.options import CompressOptions
    from toolkit.progress import Reporter
    from toolkit.trained_model import TrainedModel
    from toolkit.training.input_pipeline import Schedule

_MOST_BYTES = 1_000_000_000  # of all copies in memory


@dataclass(frozen=True, slots=True)
class Lessons:
    """Images and what the student should answer.

    Attributes:
        images: uint8 (copies, n, height, width, channels); the first are the originals.
        answers: float32 (copies, n, classes): the teacher's probabilities, mixed with the
            true class.
        spec: how an image becomes model input.
        x_validation: float32 model input (m, height, width, channels).
        y_validation: float32 one-hot rows (m, classes).
    """

    images: NDArray[np.uint8]
    answers: NDArray[np.float32]
    spec: PreprocessSpec
    x_validation: NDArray[np.float32]
    y_validation: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of training images; one epoch sees each once, in some copy."""
        return self.images.shape[1]

    def feed(self, schedule: Schedule) -> Callable[[int], tf.data.Dataset]:
        """Return what gives the batches of an epoch; seed and epoch decide order and copies."""
        copies, count = self.images.shape[:2]
        x = ModelInput.of(self.images.reshape(-1, *self.images.shape[2:]), self.spec)
        answers = self.answers.reshape(-1, self.answers.shape[-1])

        def epoch(number: int) -> tf.data.Dataset:
            rng = np.random.default_rng((schedule.seed, number))
            places = rng.permutation(count) + count * rng.integers(copies, size=count)
            return batches(x, answers, places, schedule.batch_size)

        return epoch


def prepare(
    trained: TrainedModel,
    training: NDArray[np.int64],
    validation: NDArray[np.int64],
    options: CompressOptions,
    reporter: Reporter,
) -> Lessons:
    """Let the teacher label its training images and moved copies of them.

    Validation and test images are not among them.

    Args:
        trained: the teacher with its data.
        training: int64, indices of the images that may be learnt from.
        validation: int64, indices of those that may not, of the same array.
        options: how many copies, and the share of the truth. More copies than fit into
            1 GB of memory are not made.
        reporter: shows progress.
    """
    data, spec = trained.dataset, trained.spec
    originals, truth = data.x_train[training], data.y_train[training]
    one_hot = np.eye(len(trained.labels), dtype=np.float32)
    copies = min(1 + options.copies, max(1, _MOST_BYTES // originals.nbytes))
    images = np.empty((copies, *originals.shape), np.uint8)
    answers = np.empty((copies, len(truth), len(trained.labels)), np.float32)
    with reporter.task("the teacher labels", copies) as tick:
        for index in range(copies):
            images[index] = (
                moved(originals, CopyMoves(), (options.seed, index)) if index else originals
            )
            answers[index] = _answers(trained, images[index])
            tick(1)
    answers *= np.float32(1 - options.truth)
    answers += np.float32(options.truth) * one_hot[truth]
    return Lessons(
        images=images,
        answers=answers,
        spec=spec,
        x_validation=spec.apply(data.x_train[validation]),
        y_validation=one_hot[data.y_train[validation]],
    )


def _answers(trained: TrainedModel, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the teacher's probabilities, in pieces that bound the memory."""
    step = 5000
    parts = [
        trained.source.predict(trained.spec.apply(images[start : start + step]))
        for start in range(0, len(images), step)
    ]
    return np.concatenate(parts)
