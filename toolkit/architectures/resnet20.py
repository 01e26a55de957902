"""ResNet-20, the residual network of the ResNet paper for CIFAR-10."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.architectures._blocks import convolution, probabilities
from toolkit.architectures.base import Architecture, BuildOptions

if TYPE_CHECKING:
    import keras

# Channels of the three stages; n = 3 blocks in each make 6n + 2 = 20 layers.
_STAGES, _BLOCKS = (16, 32, 64), 3


class ResNet20(Architecture):
    """He et al., Deep Residual Learning, arXiv:1512.03385, section 4.2, 0.27 M parameters.

    Where a stage halves the image and doubles the channels, the shortcut is a 1x1 convolution
    (option B of the paper; option A, zeros instead, has 2,752 trained parameters less). The
    weight decay of the paper, 1e-4, is an option of the training, not of the network.
    """

    name: ClassVar[str] = "resnet20"
    short: ClassVar[str] = "resnet20"
    summary: ClassVar[str] = "ResNet-20 of He et al.: 9 residual blocks, batch norm"
    paddings: ClassVar[tuple[str, ...]] = ("same",)  # a block adds its input to its output

    def _build(self, options: BuildOptions) -> keras.Model:
        from keras import Input, Model, layers

        image = Input(options.input_shape, name="image")
        x = convolution(image, _STAGES[0], 3, "stem")
        for stage, filters in enumerate(_STAGES, start=1):
            for number in range(1, _BLOCKS + 1):
                strides = 2 if stage > 1 and number == 1 else 1
                x = _block(x, filters, strides, f"stage{stage}_block{number}")
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        return Model(image, probabilities(x, options), name="resnet20")


def _block(x: Any, filters: int, strides: int, name: str) -> Any:
    """Two 3x3 convolutions; the input, in the shape of their output, is added to it."""
    from keras import layers

    inner = convolution(x, filters, 3, f"{name}_conv1", strides=strides)
    inner = convolution(inner, filters, 3, f"{name}_conv2", relu=False)
    if strides > 1:
        x = convolution(x, filters, 1, f"{name}_shortcut", strides=strides, relu=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, inner]))
