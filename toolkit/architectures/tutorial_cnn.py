"""The network of the Keras tutorials for MNIST."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from toolkit.architectures.base import Architecture, BuildOptions

if TYPE_CHECKING:
    import keras


class TutorialCnn(Architecture):
    """Two blocks of two convolutions, then a dense layer of 256.

    For 28x28x1 images and ten classes: 887,530 parameters and 32.3 million
    multiply-adds per image with ``same`` padding, 232,170 parameters with ``valid``.
    """

    name: ClassVar[str] = "tutorial-cnn"
    short: ClassVar[str] = "cnn"
    summary: ClassVar[str] = "the tutorial network: 4 convolutions, 2 dense layers"

    def _build(self, options: BuildOptions) -> keras.Model:
        from keras import Input, Sequential, layers

        def conv(filters: int, size: int) -> keras.layers.Layer:
            return layers.Conv2D(filters, size, padding=options.padding, activation="relu")

        return Sequential(
            [
                Input(options.input_shape, name="image"),
                conv(32, 5),
                conv(32, 5),
                layers.MaxPooling2D(2),
                layers.Dropout(0.25, seed=options.seed),
                conv(64, 3),
                conv(64, 3),
                layers.MaxPooling2D(2),
                layers.Dropout(0.25, seed=options.seed + 1),
                layers.Flatten(),
                layers.Dense(256, activation="relu"),
                layers.Dropout(0.5, seed=options.seed + 2),
                layers.Dense(
                    options.classes, activation="softmax", dtype="float32", name="probabilities"
                ),
            ],
            name="tutorial_cnn",
        )
