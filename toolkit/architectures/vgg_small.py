"""A small VGG: stacks of 3x3 convolutions, pooling, a dense layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from toolkit.architectures._blocks import probabilities
from toolkit.architectures.base import Architecture, BuildOptions

if TYPE_CHECKING:
    import keras

# Channels of the blocks; each has two convolutions and halves rows and columns.
_BLOCKS = (32, 64, 128)
_DENSE = 256


class VggSmall(Architecture):
    """The plan of VGG (Simonyan and Zisserman, arXiv:1409.1556) for small images.

    As there: only 3x3 kernels, channels doubled where the image is halved, dropout of a half
    before the last layer, no batch normalisation. For 28x28x1 images and ten classes: 584,170
    parameters with ``same`` padding.
    """

    name: ClassVar[str] = "vgg-small"
    short: ClassVar[str] = "vgg"
    summary: ClassVar[str] = "VGG's plan: 6 convolutions 3x3, 2 dense layers"

    def _build(self, options: BuildOptions) -> keras.Model:
        from keras import Input, Model, layers

        image = x = Input(options.input_shape, name="image")
        for block, filters in enumerate(_BLOCKS, start=1):
            for number in (1, 2):
                x = layers.Conv2D(
                    filters,
                    3,
                    padding=options.padding,
                    activation="relu",
                    kernel_initializer="he_normal",  # without batch normalisation, depth needs it
                    name=f"conv{block}_{number}",
                )(x)
            x = layers.MaxPooling2D(2, name=f"pool{block}")(x)
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(_DENSE, activation="relu", kernel_initializer="he_normal", name="dense")(x)
        x = layers.Dropout(0.5, seed=options.seed, name="dropout")(x)
        return Model(image, probabilities(x, options), name="vgg_small")
