"""A small MobileNet: depthwise-separable convolutions, batch normalisation, ReLU6."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from toolkit.architectures.base import Architecture, BuildOptions

if TYPE_CHECKING:
    import keras

_STEM, _HEAD = 16, 128
# Output filters, stride and expansion of each block.
_BLOCKS = ((16, 1, 1), (24, 2, 4), (24, 1, 4), (32, 2, 4), (32, 1, 4), (32, 1, 4))
_DECAY = 1e-3


class MobileNetSmall(Architecture):
    """Inverted residuals of MobileNetV2 (Sandler et al., arXiv:1801.04381) for small images.

    Weight decay lets channels that are not needed fade, and batch normalisation scales
    them up again: once it is folded in, the weights of one depthwise layer were seen to
    differ by a factor of 254 from channel to channel.
    """

    name: ClassVar[str] = "mobilenet-small"
    short: ClassVar[str] = "mobilenet"
    summary: ClassVar[str] = "6 inverted residuals: depthwise, batch norm, ReLU6"

    def _build(self, options: BuildOptions) -> keras.Model:
        from keras import Input, Model, layers

        image = Input(options.input_shape, name="image")
        x = _convolution(image, _STEM, 3, options.padding, "stem")
        for number, (filters, stride, expansion) in enumerate(_BLOCKS, start=1):
            x = _block(x, filters, stride, expansion, options.padding, f"block{number}")
        x = _convolution(x, _HEAD, 1, options.padding, "head")
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        x = layers.Dropout(0.2, seed=options.seed, name="dropout")(x)
        scores = layers.Dense(
            options.classes, activation="softmax", dtype="float32", name="probabilities"
        )(x)
        return Model(image, scores, name="mobilenet_small")


def _block(x: Any, filters: int, stride: int, expansion: int, padding: str, name: str) -> Any:
    """Expand, filter each channel separately, project without activation; add the input."""
    from keras import layers, regularizers

    inner = x
    if expansion > 1:
        inner = _convolution(x, expansion * x.shape[-1], 1, padding, f"{name}_expand")
    inner = layers.DepthwiseConv2D(
        3,
        stride,
        padding=padding,
        use_bias=False,
        depthwise_regularizer=regularizers.L2(_DECAY),
        name=f"{name}_depthwise",
    )(inner)
    inner = _normalized(inner, f"{name}_depthwise", relu6=True)
    inner = _convolution(inner, filters, 1, padding, f"{name}_project", relu6=False)
    if inner.shape == x.shape:
        return layers.Add(name=f"{name}_add")([x, inner])
    return inner


def _convolution(
    x: Any, filters: int, size: int, padding: str, name: str, *, relu6: bool = True
) -> Any:
    from keras import layers, regularizers

    convolution = layers.Conv2D(
        filters,
        size,
        padding=padding,
        use_bias=False,
        kernel_regularizer=regularizers.L2(_DECAY),
        name=name,
    )
    return _normalized(convolution(x), name, relu6=relu6)


def _normalized(x: Any, name: str, *, relu6: bool) -> Any:
    from keras import layers

    # The epsilon of PyTorch's models; Keras's own (1e-3) hides faded channels.
    x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x) if relu6 else x
