"""Multiply-adds of a model for one image, counted in the graph that Keras traces.

A multiply-add is one product that is added to a sum. Bias, activation, pooling and
normalization are not counted. With padding ``same`` the products with the padding count
too, as is usual; so do, in a transposed convolution, the sums that are cropped at the
border. An engine can compute fewer (Winograd) or more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import keras

# Operators between a variable and the one that computes with it: casts, changes of shape.
_PASSING = {"ReadVariableOp", "Identity", "Cast", "Reshape", "ExpandDims", "Squeeze", "Transpose"}
# Operators that use weights element by element: bias, normalization, PReLU.
_ELEMENTWISE = {
    *("AddV2", "Add", "BiasAdd", "Sub", "Mul", "RealDiv", "Neg", "Maximum", "Minimum"),
    *("Rsqrt", "Sqrt", "Square", "FusedBatchNormV3", "Shape", "NoOp", "Pack", "StridedSlice"),
}


def count(model: keras.Model, image_shape: tuple[int, int, int]) -> int | None:
    """Count the multiply-adds of one image.

    Args:
        model: a model with one image input.
        image_shape: height, width and channels.

    Returns:
        The exact number for convolutions (plain, grouped, depthwise, separable, transposed),
        dense layers and matrix products, in any nesting; None if a layer with weights is
        of another kind, or a size is unknown.

    Example::

        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3)])
        count(model, (8, 8, 1))  # 6 x 6 outputs x 4 filters x 9 weights = 1296
    """
    graph = _trace(model, image_shape)
    if any(_is_unknown(reader) for reader in _weight_readers(graph)):
        return None
    try:
        return sum(_COUNTED[op.type](op) for op in graph.get_operations() if op.type in _COUNTED)
    except (TypeError, ValueError):  # a dimension is None
        return None


def _trace(model: keras.Model, image_shape: tuple[int, int, int]) -> Any:
    """Return the TensorFlow graph of the model for batch 1, with all functions inlined."""
    import tensorflow as tf

    function = tf.function(lambda image: model(image, training=False))
    image = tf.TensorSpec((1, *image_shape), tf.float32)
    # Keras puts grouped convolutions into a function of their own, which hides them.
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(run_eagerly=True)
    try:
        return function.get_concrete_function(image).graph
    finally:
        tf.config.run_functions_eagerly(run_eagerly=before)


def _weight_readers(graph: Any) -> Iterator[Any]:
    """Yield the operators that compute with a variable."""
    waiting = [inner for _, inner in graph.captures if inner.dtype.name == "resource"]
    while waiting:
        for reader in waiting.pop().consumers():
            if reader.type in _PASSING:
                waiting += reader.outputs
            else:
                yield reader


def _is_unknown(operator: Any) -> bool:
    return operator.type not in _COUNTED and operator.type not in _ELEMENTWISE


def _shape(tensor: Any) -> list[int]:
    shape: list[int] = tensor.shape.as_list()
    return shape


def _convolution(operator: Any) -> int:
    """Each output value sums over the filter: (height, width, inputs of its group, outputs)."""
    return math.prod(_shape(operator.outputs[0])) * math.prod(_shape(operator.inputs[1])[:-1])


def _depthwise(operator: Any) -> int:
    """Each output value sums over one channel: (height, width, channels, multiplier)."""
    return math.prod(_shape(operator.outputs[0])) * math.prod(_shape(operator.inputs[1])[:2])


def _transposed(operator: Any) -> int:
    """Each input value is added to (height, width, outputs) sums; the last axis is inputs."""
    _, kernel, values = operator.inputs
    return math.prod(_shape(values)) * math.prod(_shape(kernel)[:-1])


def _product(operator: Any) -> int:
    """Each output value sums over the inner dimension of the two matrices."""
    flipped = "transpose_a" if operator.type == "MatMul" else "adj_x"
    inner = _shape(operator.inputs[0])[-2 if operator.get_attr(flipped) else -1]
    return math.prod(_shape(operator.outputs[0])) * inner


def _einsum(operator: Any) -> int:
    """One product for each combination of all indices."""
    left = operator.get_attr("equation").decode().split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for names, tensor in zip(left, operator.inputs, strict=True):
        sizes |= dict(zip(names, _shape(tensor), strict=True))
    return math.prod(sizes.values())


_COUNTED: dict[str, Callable[[Any], int]] = {
    "Conv2D": _convolution,
    "Conv3D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "Conv2DBackpropInput": _transposed,
    "MatMul": _product,
    "BatchMatMulV2": _product,
    "Einsum": _einsum,
}
