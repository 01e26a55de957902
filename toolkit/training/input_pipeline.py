"""What the training loop is fed with: batches, cut from images that may lie on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import tensorflow as tf
    from numpy.typing import NDArray

    from runtime.preprocessing.spec import PreprocessSpec

_EVALUATION_BATCH = 500


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train.

    Attributes:
        epochs: number of passes over the training images.
        batch_size: images a step.
        seed: with the number of the epoch, it fixes the order of the images.
    """

    epochs: int
    batch_size: int
    seed: int


class Rows(Protocol):
    """Model input by number: an array of float32, or :class:`ModelInput`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width, channels)."""
        ...

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, which: Any, /) -> Any:
        """Return float32 (m, height, width, channels) for m numbers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ModelInput:
    """Model input that is computed when it is asked for.

    As float32 all images would take four times their memory, and those on disk would be
    loaded. A batch takes little time: 86 images of 28x28 are ready in 0.07 ms.

    Attributes:
        images: uint8 (n, height, width, channels); may lie on disk.
        places: int64 (m,), which of them.
        spec: how an image becomes model input.
    """

    images: NDArray[np.uint8]
    places: NDArray[np.int64]
    spec: PreprocessSpec

    @classmethod
    def of(cls, images: NDArray[np.uint8], spec: PreprocessSpec) -> ModelInput:
        """Return the model input of all images."""
        return cls(images, np.arange(len(images)), spec)

    @property
    def shape(self) -> tuple[int, ...]:
        """(m, height, width, channels)."""
        return (len(self.places), *self.spec.shape)

    def __len__(self) -> int:
        """Return m."""
        return len(self.places)

    def __getitem__(self, which: Any) -> NDArray[np.float32]:
        """Return the model input of some of them, by number or slice."""
        return self.spec.apply(self.images[self.places[which]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all as one array, for those who have the memory."""
        del copy  # it always is one
        return np.asarray(self[:], dtype)


class EpochData(Protocol):
    """What the loop trains on: batches for each epoch, and validation images."""

    @property
    def x_validation(self) -> Rows:
        """Model input; may be empty."""
        ...

    @property
    def y_validation(self) -> NDArray[np.float32]:
        """One-hot rows, float32 (n, classes)."""
        ...

    def __len__(self) -> int:
        """Return the number of training images."""
        ...

    def feed(self, schedule: Schedule) -> Callable[[int], tf.data.Dataset]:
        """Return what gives the batches of epoch 1, 2, …; the same each time it is asked."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Model input and one-hot targets.

    Attributes:
        x: training images.
        y: float32 (n, classes).
        x_validation: like ``x``; may be empty.
        y_validation: like ``y``.
    """

    x: Rows
    y: NDArray[np.float32]
    x_validation: Rows
    y_validation: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of training images."""
        return len(self.x)

    def feed(self, schedule: Schedule) -> Callable[[int], tf.data.Dataset]:
        """Return what gives the batches of an epoch.

        Seed and epoch alone decide the order, so that a resumed run repeats it.
        """

        def epoch(number: int) -> tf.data.Dataset:
            order = np.random.default_rng((schedule.seed, number)).permutation(len(self.x))
            return batches(self.x, self.y, order, schedule.batch_size)

        return epoch


def validation_batches(data: EpochData) -> tf.data.Dataset:
    """Return the validation images in their order."""
    order = np.arange(len(data.y_validation))
    return batches(data.x_validation, data.y_validation, order, _EVALUATION_BATCH)


def batches(
    x: Rows, y: NDArray[np.float32], order: NDArray[np.int64], size: int
) -> tf.data.Dataset:
    """Return batches of model input and targets; the next ones are made ready ahead.

    Args:
        x: model input.
        y: float32 (n, classes).
        order: int64, numbers of rows.
        size: images a batch; the last one may be smaller.
    """
    import tensorflow as tf

    def cut(places: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return x[places], y[places]

    def load(places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, targets = tf.numpy_function(cut, [places], (tf.float32, tf.float32))
        return (
            tf.ensure_shape(images, (None, *x.shape[1:])),
            tf.ensure_shape(targets, (None, *y.shape[1:])),
        )

    found = tf.data.Dataset.from_tensor_slices(order).batch(size)
    return found.map(load, num_parallel_calls=2, deterministic=True).prefetch(2)
