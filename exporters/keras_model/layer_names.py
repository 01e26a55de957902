"""Readable names of layers out of what converters call tensors and nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What TensorFlow's operators inside a layer are called, without the number behind them.
_INNER = frozenset(
    {
        *("Cast", "BiasAdd", "MatMul", "ReadVariableOp", "Relu", "Relu6", "Squeeze", "Conv2D"),
        *("batchnorm", "convolution", "depthwise", "merged_input", "Softmax", "Mean", "Reshape"),
    }
)
# The operators that name a layer best: with them it computes.
_COMPUTING = frozenset(("convolution", "depthwise", "MatMul", "Conv2D", "BiasAdd"))
_NUMBER = re.compile(r"_\d+$")
_TAIL = re.compile(r"(__?\d+|\d+)$")


def short_name(key: str, *others: str) -> str:
    """Return the Keras layer's name where it can be told, else a plain form of the key.

    TFLite joins the names of fused operators with ``;``, paths go through model and
    layer: ``cnn_1/cnn_1/conv2d_1_2/Relu;cnn_1/cnn_1/conv2d_1_2/BiasAdd`` is ``conv2d_1``.
    Keras 3 opens each scope twice, so TensorFlow adds one number to each of them: it
    comes off where all parts of the path carry one.

    Args:
        key: name of a TFLite output tensor or of an ONNX node.
        *others: names of its weights and outputs, asked where the key says nothing.
    """
    for name in (key, *others):
        if layer := layer_of(name):
            return layer
    return re.sub(r"(:\d+)?$", "", key.split(";", maxsplit=1)[0]).rsplit("/", maxsplit=1)[-1]


def layer_of(key: str) -> str | None:
    """Return the Keras layer that a name speaks of, or None if it names no scope."""
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
    """Return one name a layer, no two alike.

    Args:
        wanted: the name that each would like.
        kinds: added where a name is taken, in lower case: ``probabilities_softmax``.
        first: layers with weights choose before the others.

    Returns:
        The names in the order given.
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
    """Strip the numbers that make an operator's name unique."""
    return _TAIL.sub("", operator)
