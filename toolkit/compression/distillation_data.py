"""Distillation data: transformed training images with the probabilities of the teacher."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from toolkit.training.augmentation import CopyTransforms, transformed
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

_LOG = logging.getLogger("toolkit")
_MOST_BYTES = 1_000_000_000  # of all copies in memory
_CHUNK = 5000  # images of one prediction of the teacher


@dataclass(frozen=True, slots=True)
class DistillationData:
    """Images and the soft targets of the student.

    Attributes:
        images: uint8 (copies, n, height, width, channels); the first are the originals.
        targets: float32 (copies, n, classes): the teacher's probabilities, mixed with the
            true class.
        spec: the preprocessing.
        x_validation: float32 model input (m, height, width, channels).
        y_validation: float32 one-hot rows (m, classes).

    Example::

        data = prepare(trained, training, validation, CompressOptions(copies=2), reporter)
        first_epoch = data.epoch_batches(Schedule(epochs=60, batch_size=128, seed=0))(1)
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    spec: PreprocessSpec
    x_validation: NDArray[np.float32]
    y_validation: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of training images; an epoch contains one copy of each."""
        return self.images.shape[1]

    def epoch_batches(self, schedule: Schedule) -> Callable[[int], tf.data.Dataset]:
        """Return a function from the number of an epoch to its batches.

        Seed and epoch determine order and copies.
        """
        copies, count = self.images.shape[:2]
        x = ModelInput.of(self.images.reshape(-1, *self.images.shape[2:]), self.spec)
        targets = self.targets.reshape(-1, self.targets.shape[-1])

        def epoch(number: int) -> tf.data.Dataset:
            rng = np.random.default_rng((schedule.seed, number))
            places = rng.permutation(count) + count * rng.integers(copies, size=count)
            return batches(x, targets, places, schedule.batch_size)

        return epoch


def prepare(
    trained: TrainedModel,
    training: NDArray[np.int64],
    validation: NDArray[np.int64],
    options: CompressOptions,
    reporter: Reporter,
) -> DistillationData:
    """Label the training images and transformed copies of them with the teacher's outputs.

    Validation and test images are not among them.

    Args:
        trained: the teacher with its data.
        training: int64, indices of the images to train on.
        validation: int64, indices of the validation images in the same array.
        options: number of copies, and the share of the true label. More copies than fit into
            1 GB of memory are not made.
        reporter: receives the progress.

    Example::

        data = prepare(trained, trained.training, validation, CompressOptions(), reporter)
        data.targets.shape  # (9, images, classes)
    """
    data, spec = trained.dataset, trained.spec
    originals, truth = data.x_train[training], data.y_train[training]
    one_hot = np.eye(len(trained.labels), dtype=np.float32)
    copies = min(1 + options.copies, max(1, _MOST_BYTES // originals.nbytes))
    images = np.empty((copies, *originals.shape), np.uint8)
    targets = np.empty((copies, len(truth), len(trained.labels)), np.float32)
    if copies < 1 + options.copies:
        _LOG.debug("%d copies instead of %d: the others do not fit", copies - 1, options.copies)
    with reporter.task("the teacher labels", copies) as tick:
        for index in range(copies):
            images[index] = (
                transformed(originals, CopyTransforms(), (options.seed, index))
                if index
                else originals
            )
            targets[index] = _outputs(trained, images[index])
            tick(1)
    targets *= np.float32(1 - options.truth)
    targets += np.float32(options.truth) * one_hot[truth]
    return DistillationData(
        images=images,
        targets=targets,
        spec=spec,
        x_validation=spec.apply(data.x_train[validation]),
        y_validation=one_hot[data.y_train[validation]],
    )


def _outputs(trained: TrainedModel, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the teacher's probabilities, computed in chunks that bound the memory."""
    parts = [
        trained.source.predict(trained.spec.apply(images[start : start + _CHUNK]))
        for start in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(parts)
