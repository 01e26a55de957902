"""Moves training images at random, with Keras's layers, on their way into the training only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray

    from toolkit.feeding import EpochData, Rows, Schedule
    from toolkit.recipe import TrainOptions


@dataclass(frozen=True, slots=True)
class Moves:
    """How far an image is moved; what lies outside is filled with the nearest pixel.

    Attributes:
        rotate: at most so many degrees, either way.
        shift: at most this share of the side, up, down, left or right.
        zoom: at most this share larger or smaller.
        seed: with the number of the epoch, it fixes all moves.
    """

    rotate: float
    shift: float
    zoom: float
    seed: int

    @classmethod
    def of(cls, options: TrainOptions) -> Moves:
        """Return the moves of a recipe, whose shift and zoom are per cent."""
        return cls(options.rotate, options.shift / 100, options.zoom / 100, options.seed)

    def layers(self, epoch: int) -> list[Any]:
        """Return the Keras layers for one epoch; the same seed and epoch give the same moves."""
        from keras import layers

        seed = (self.seed * 1_000_003 + epoch) % 2**31
        usual: dict[str, Any] = {"fill_mode": "nearest", "dtype": "float32"}
        return [
            layers.RandomRotation(self.rotate / 360, seed=seed, **usual),
            layers.RandomTranslation(self.shift, self.shift, seed=seed + 1, **usual),
            layers.RandomZoom(self.zoom, seed=seed + 2, **usual),
        ]


@dataclass(frozen=True, slots=True)
class Augmented:
    """Training data whose images are moved anew in each epoch; validation stays as it is.

    The layers work on the batches, outside of the model: no export can hold them.

    Attributes:
        plain: the data.
        moves: how far.
    """

    plain: EpochData
    moves: Moves

    @property
    def x_validation(self) -> Rows:
        """Model input, float32 (n, height, width, channels)."""
        return self.plain.x_validation

    @property
    def y_validation(self) -> NDArray[np.float32]:
        """One-hot rows, float32 (n, classes)."""
        return self.plain.y_validation

    def __len__(self) -> int:
        """Return the number of training images."""
        return len(self.plain)

    def feed(self, schedule: Schedule) -> Callable[[int], tf.data.Dataset]:
        """Return what gives the batches of an epoch."""
        plain = self.plain.feed(schedule)

        def epoch(number: int) -> tf.data.Dataset:
            layers = self.moves.layers(number)

            def move(x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                for layer in layers:
                    x = layer(x, training=True)
                return x, y

            return plain(number).map(move).prefetch(2)  # one by one: the layers draw in this order

        return epoch
