"""The input pipeline of a training: batches of images, which may be on disk."""

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
    """Length of a training, batch size and seed.

    Attributes:
        epochs: number of passes over the training images.
        batch_size: images per step.
        seed: with the number of the epoch, it determines the order of the images.

    Example:
        >>> Schedule(epochs=30, batch_size=86, seed=0).epochs
        30
    """

    epochs: int
    batch_size: int
    seed: int


class Rows(Protocol):
    """Model input by index: an array of float32, or :class:`ModelInput`.

    Example::

        def mean_pixel(x: Rows) -> float:
            return float(np.mean([x[index].mean() for index in range(len(x))]))
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, height, width, channels)."""
        ...

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def __getitem__(self, which: Any, /) -> Any:
        """Return float32 (m, height, width, channels) for m indices."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ModelInput:
    """Model input that is computed on access.

    All images as float32 would take four times their memory, and those on disk would be
    loaded. A batch takes little time: 86 images of 28x28 are ready in 0.07 ms.

    Attributes:
        images: uint8 (n, height, width, channels); may be on disk.
        places: int64 (m,), indices of the images.
        spec: the preprocessing of the model.

    Example:
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> x = ModelInput.of(np.full((4, 8, 8, 1), 255, np.uint8), PreprocessSpec(8, 8))
        >>> x.shape, x[:2].dtype
        ((4, 8, 8, 1), dtype('float32'))
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
        """Return the model input of some images, by index or slice."""
        return self.spec.apply(self.images[self.places[which]])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all as one array, which needs the memory."""
        del copy  # the result always is a copy
        return np.asarray(self[:], dtype)


class EpochData(Protocol):
    """Data of the training loop: batches for each epoch, and validation images.

    Example::

        run_epochs(folder, model, state, data, schedule, reporter)  # data is an EpochData
    """

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

    def epoch_batches(self, schedule: Schedule) -> Callable[[int], tf.data.Dataset]:
        """Return a function from the number of an epoch (1, 2, …) to its batches."""
        ...


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Model input and one-hot targets.

    Attributes:
        x: training images.
        y: float32 (n, classes).
        x_validation: like ``x``; may be empty.
        y_validation: like ``y``.

    Example::

        data = training_data(dataset, TrainOptions())
        first_epoch = data.epoch_batches(Schedule(epochs=3, batch_size=86, seed=0))(1)
    """

    x: Rows
    y: NDArray[np.float32]
    x_validation: Rows
    y_validation: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of training images."""
        return len(self.x)

    def epoch_batches(self, schedule: Schedule) -> Callable[[int], tf.data.Dataset]:
        """Return a function from the number of an epoch to its batches.

        Seed and epoch alone determine the order, so that a resumed run repeats it.
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
    """Return batches of model input and targets; the next ones are prefetched.

    Args:
        x: model input.
        y: float32 (n, classes).
        order: int64, indices of the rows.
        size: images per batch; the last one may be smaller.

    Example::

        for images, targets in batches(x, y, np.arange(len(y)), size=100):
            model.train_on_batch(images, targets)
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
