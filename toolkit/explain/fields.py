"""Receptive fields: which part of the image one value of a layer depends on.

Output ``i`` of a window of ``k`` pixels with stride ``s``, dilation ``d`` and ``p`` zeros in
front reads inputs ``i*s - p`` to ``i*s - p + (k-1)*d``. Composed layer by layer, these give
the interval of the image; see Araujo, Norris and Sim, "Computing Receptive Fields
of Convolutional Neural Networks", Distill 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

_WINDOWS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D")
# Each output value depends only on the input values at its own position.
_POINTWISE = {
    *("InputLayer", "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "Dropout"),
    *("SpatialDropout2D", "BatchNormalization", "Rescaling", "Normalization", "Dense"),
    *("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"),
    *("GaussianNoise", "GaussianDropout", "Identity"),
}


@dataclass(frozen=True, slots=True)
class Axis:
    """The interval of image rows (or columns) that the values of a layer depend on.

    Attributes:
        low: first row that value 0 depends on; negative within the padding.
        high: last row.
        jump: how far the interval moves from one value to the next.

    Example:
        >>> Axis().window(size=3, stride=2, dilation=1, before=1)
        Axis(low=-1, high=1, jump=2)
    """

    low: int = 0
    high: int = 0
    jump: int = 1

    def window(self, size: int, stride: int, dilation: int, before: int) -> Axis:
        """Return the interval after a sliding window with ``before`` zeros in front.

        Example:
            >>> Axis().window(3, 1, 1, 0).window(3, 1, 1, 0)  # two 3x3 convolutions see 5x5
            Axis(low=0, high=4, jump=1)
        """
        low = self.low - before * self.jump
        high = self.high + ((size - 1) * dilation - before) * self.jump
        return Axis(low, high, self.jump * stride)

    def joined(self, other: Axis) -> Axis:
        """Return the interval of a layer that reads two others at the same position.

        Example:
            >>> Axis(0, 2).joined(Axis(-1, 1))
            Axis(low=-1, high=2, jump=1)
        """
        return Axis(min(self.low, other.low), max(self.high, other.high), self.jump)

    def covers(self, index: int, pixels: int) -> tuple[int, int]:
        """Return first and last row inside the image that value ``index`` depends on.

        Example:
            >>> Axis(low=-1, high=1, jump=2).covers(index=0, pixels=28)
            (0, 1)
        """
        shift = index * self.jump
        return max(self.low + shift, 0), min(self.high + shift, pixels - 1)


@dataclass(frozen=True, slots=True)
class Field:
    """The receptive field of one value of a layer.

    Attributes:
        rows: the interval of rows.
        columns: the interval of columns.

    Example:
        >>> Field(Axis(-1, 1), Axis(-2, 2)).size
        (3, 5)
    """

    rows: Axis = Axis()
    columns: Axis = Axis()

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, the padding included."""
        return tuple(axis.high - axis.low + 1 for axis in (self.rows, self.columns))  # type: ignore[return-value]


WHOLE = "whole image"


def field_of(
    layer: keras.layers.Layer, inputs: Sequence[Field | str | None], image: tuple[int, ...]
) -> Field | str | None:
    """Return the receptive field of a layer's values.

    Args:
        layer: one of a functional or sequential model.
        inputs: what :func:`field_of` returned for the layers that feed it; empty for the
            image.
        image: shape of the layer's input, (height, width, channels) or (values,).

    Returns:
        The field, :data:`WHOLE` if a value depends on all pixels, or None if it is not known.

    Example::

        field = field_of(model.get_layer("conv2d"), [Field()], (28, 28, 1))
        field.size  # (3, 3)
    """
    if not inputs:
        return Field()
    if None in inputs:
        return None
    if len(layer.output.shape) != 4 or WHOLE in inputs:
        return WHOLE
    return _mapped(layer, [one for one in inputs if isinstance(one, Field)], image)


def _mapped(layer: Any, fields: Sequence[Field], image: tuple[int, ...]) -> Field | None:
    """Return the field of a layer whose inputs and output are feature maps."""
    kind = type(layer).__name__
    if kind in _POINTWISE:
        return _merged(fields)
    if kind == "ZeroPadding2D":
        (top, _), (left, _) = layer.padding
        return Field(_moved(fields[0].rows, top), _moved(fields[0].columns, left))
    if kind == "Cropping2D":
        (top, _), (left, _) = layer.cropping
        return Field(_moved(fields[0].rows, -top), _moved(fields[0].columns, -left))
    return _windowed(layer, fields[0], image) if kind in _WINDOWS else None


def _windowed(layer: Any, field: Field, image: tuple[int, ...]) -> Field:
    sizes = layer.pool_size if hasattr(layer, "pool_size") else layer.kernel_size
    dilations = getattr(layer, "dilation_rate", (1, 1))
    strides = _pair(layer.strides)
    axes = []
    for axis, values in enumerate(zip(_pair(sizes), strides, _pair(dilations), strict=True)):
        size, stride, dilation = values
        before = 0
        if layer.padding == "same":  # the odd zero goes to the end, as in TensorFlow
            reach = (-(-image[axis] // stride) - 1) * stride + (size - 1) * dilation + 1
            before = max(reach - image[axis], 0) // 2
        axes.append((field.rows, field.columns)[axis].window(size, stride, dilation, before))
    return Field(*axes)


def _merged(fields: Sequence[Field]) -> Field:
    first = fields[0]
    rows, columns = first.rows, first.columns
    for other in fields[1:]:
        rows, columns = rows.joined(other.rows), columns.joined(other.columns)
    return Field(rows, columns)


def _moved(axis: Axis, zeros: int) -> Axis:
    return axis.window(1, 1, 1, zeros)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
