"""Readable layer names, derived from the tensor and node names of converters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# TensorFlow's names of the operators inside a layer, without the number behind them.
_INNER = frozenset(
    {
        *("Cast", "BiasAdd", "MatMul", "ReadVariableOp", "Relu", "Relu6", "Squeeze", "Conv2D"),
        *("batchnorm", "convolution", "depthwise", "merged_input", "Softmax", "Mean", "Reshape"),
    }
)
# Operators that identify a layer best: those that compute with its weights.
_COMPUTING = frozenset(("convolution", "depthwise", "MatMul", "Conv2D", "BiasAdd"))
_NUMBER = re.compile(r"_\d+$")
_TAIL = re.compile(r"(__?\d+|\d+)$")


def short_name(key: str, *others: str) -> str:
    """Return the name of the Keras layer if the key contains it, else a short form of the key.

    TFLite joins the names of fused operators with ``;``, paths go through model and
    layer: ``cnn_1/cnn_1/conv2d_1_2/Relu;cnn_1/cnn_1/conv2d_1_2/BiasAdd`` is ``conv2d_1``.
    Keras 3 opens each scope twice, so TensorFlow adds one number to each of them: it
    is removed where all parts of the path have one.

    Args:
        key: name of a TFLite output tensor or of an ONNX node.
        *others: names of its weights and outputs, used where the key contains no layer.

    Example:
        >>> short_name("cnn_1/cnn_1/conv2d_1_2/Relu;cnn_1/cnn_1/conv2d_1_2/BiasAdd")
        'conv2d_1'
        >>> short_name("Conv__87", "net_1/stem_1/convolution/merged_input:0")
        'stem'
    """
    for name in (key, *others):
        if layer := layer_of(name):
            return layer
    return re.sub(r"(:\d+)?$", "", key.split(";", maxsplit=1)[0]).rsplit("/", maxsplit=1)[-1]


def layer_of(key: str) -> str | None:
    """Return the Keras layer in a tensor or node name, or None if the name has no scope.

    Example:
        >>> layer_of("cnn_1/dense_1/Cast/ReadVariableOp:0_quantized")
        'dense'
    """
    paths = [part.split(":", maxsplit=1)[0].split("/") for part in key.split(";")]
    scoped = [path for path in paths if len(path) > 1]
    if not scoped:
        return None
    computing = [path for path in scoped if _plain(path[-1]) in _COMPUTING]
    path = (computing or scoped)[0][:-1]
    while len(path) > 1 and _plain(path[-1]) in _INNER:
        path = path[:-1]
    numbered = all(_NUMBER.search(part) for part in path)
    return _NUMBER.sub("", path[-1]) if numbered else path[-1]


def unique_names(wanted: Sequence[str], kinds: Sequence[str], first: Sequence[bool]) -> list[str]:
    """Make layer names unique.

    Args:
        wanted: preferred name of each layer.
        kinds: operator of each layer, appended in lower case where the name is taken.
        first: whether a layer has precedence; those with weights have.

    Returns:
        One name per layer, in the same order.

    Example:
        >>> unique_names(["dense", "dense"], ["Softmax", "MatMul"], [False, True])
        ['dense_softmax', 'dense']
    """
    chosen: dict[int, str] = {}
    for index in sorted(range(len(wanted)), key=lambda i: not first[i]):
        name, taken = wanted[index], set(chosen.values())
        if name in taken:
            name = f"{name}_{kinds[index].lower()}"
        number, base = 2, name
        while name in taken:
            name, number = f"{base}_{number}", number + 1
        chosen[index] = name
    return [chosen[index] for index in range(len(wanted))]


def _plain(operator: str) -> str:
    """Remove the number that makes an operator's name unique."""
    return _TAIL.sub("", operator)
