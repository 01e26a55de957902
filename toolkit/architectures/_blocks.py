"""Blocks that several architectures share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.architectures.base import BuildOptions


def convolution(
    x: Any,
    filters: int,
    size: int,
    name: str,
    *,
    strides: int = 1,
    padding: str = "same",
    relu: bool = True,
) -> Any:
    """Return a convolution without bias, then batch normalisation, then ReLU.

    Batch normalisation has a bias of its own (Ioffe and Szegedy, arXiv:1502.03167); on
    export it is folded into the convolution, and costs nothing.

    Args:
        x: Keras tensor (batch, height, width, channels).
        filters: channels of the output.
        size: rows and columns of the kernel.
        name: of the convolution; the layers after it are called ``NAME_bn`` and ``NAME_relu``.
        strides: steps of the kernel.
        padding: ``same`` or ``valid``.
        relu: False leaves the activation out.

    Example::

        image = keras.Input((28, 28, 1))
        x = convolution(image, 32, 3, "stem")
    """
    from keras import layers

    x = layers.Conv2D(
        filters,
        size,
        strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return normalized(x, name, relu=relu)


def normalized(x: Any, name: str, *, relu: bool = True) -> Any:
    """Return batch normalisation, then ReLU.

    The momentum is that of the ResNet paper's code; with Keras's own (0.99) the averages are
    still far off after the few hundred steps of a small training.

    Example::

        x = normalized(layers.Dense(256, use_bias=False, name="dense")(x), "dense")
    """
    from keras import layers

    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def probabilities(x: Any, options: BuildOptions) -> Any:
    """Return the last layer of every architecture: dense with softmax, in float32.

    Example::

        return Model(image, probabilities(x, options))
    """
    from keras import layers

    return layers.Dense(
        options.classes, activation="softmax", dtype="float32", name="probabilities"
    )(x)
