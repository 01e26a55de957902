"""The network of the Keras tutorials with batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from toolkit.architectures._blocks import convolution, normalized, probabilities
from toolkit.architectures.base import Architecture, BuildOptions

if TYPE_CHECKING:
    import keras


class TutorialCnnBn(Architecture):
    """``tutorial-cnn`` with batch normalisation between each layer and its activation.

    For 28x28x1 images and ten classes: 888,874 parameters with ``same`` padding, of which
    896 are averages that are not trained.
    """

    name: ClassVar[str] = "tutorial-cnn-bn"
    short: ClassVar[str] = "cnn-bn"
    summary: ClassVar[str] = "the tutorial network with batch normalisation"

    def _build(self, options: BuildOptions) -> keras.Model:
        from keras import Input, Model, layers

        image = x = Input(options.input_shape, name="image")
        for block, (filters, size) in enumerate(((32, 5), (64, 3)), start=1):
            for number in (1, 2):
                x = convolution(x, filters, size, f"conv{block}_{number}", padding=options.padding)
            x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
            x = layers.Dropout(0.25, seed=options.seed + block - 1, name=f"dropout{block}")(x)
        x = layers.Flatten(name="flatten")(x)
        x = normalized(layers.Dense(256, use_bias=False, name="dense")(x), "dense")
        x = layers.Dropout(0.5, seed=options.seed + 2, name="dropout3")(x)
        return Model(image, probabilities(x, options), name="tutorial_cnn_bn")
