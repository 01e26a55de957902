"""Builds the narrower model: the same layers with fewer channels, and their weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.compression.channels import MAKERS, Channels, Group, Port

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

_SPATIAL = ("Conv2D", "SeparableConv2D", "DepthwiseConv2D")


@dataclass(frozen=True, slots=True)
class Cut:
    """Changes that make a model narrower.

    Attributes:
        kept: by group, the sorted indices of the channels to keep, int64.
        kernel: the largest side of a convolution's kernel; larger ones keep their centre
            if that changes no shape. None keeps all.
        pooled: by the name of a pooling that is removed, the convolution that takes its
            stride; of :func:`toolkit.compression.strides.pooled`.

    Example:
        >>> Cut(kept={}, kernel=3).pooled
        {}
    """

    kept: dict[Group, NDArray[np.int64]]
    kernel: int | None = None
    pooled: dict[str, str] = field(default_factory=dict)


def narrowed(model: keras.Model, channels: Channels, cut: Cut) -> keras.Model:
    """Return a model with fewer channels and the weights of the kept ones.

    Args:
        model: Sequential or functional.
        channels: the result of :func:`toolkit.compression.channels.find` for it.
        cut: the changes.

    Returns:
        A new model with the names and the order of the layers of the old one.

    Example::

        channels = find(model)
        half = {group: np.arange(group.size // 2) for group in channels.groups}
        small = narrowed(model, channels, Cut(half))
    """
    config = model.get_config()
    for entry in config["layers"]:
        entry.pop("build_config", None)  # it contains the shapes of the old layers
        if entry["config"].get("name") in channels.makes:
            _narrow(entry, channels, cut)
            _unpool(entry, cut)
    small = type(model).from_config(config)
    for layer in small.layers:
        if layer.weights:
            old = model.get_layer(layer.name)
            layer.set_weights(_weights(old, channels, cut))
    return small


def _narrow(entry: dict[str, Any], channels: Channels, cut: Cut) -> None:
    """Change the configuration of one layer; a small network needs no dropout."""
    kind, config = entry["class_name"], entry["config"]
    made = channels.makes[config["name"]]
    if kind in MAKERS and made.group.root in cut.kept:
        config[MAKERS[kind]] = len(cut.kept[made.group.root])
    if "Dropout" in kind:
        config["rate"] = 0.0
    if cut.kernel and kind in _SPATIAL and config["padding"] == "same":
        config["kernel_size"] = tuple(min(side, cut.kernel) for side in config["kernel_size"])


def _unpool(entry: dict[str, Any], cut: Cut) -> None:
    """Give a convolution a stride of 2, or replace a pooling by the identity."""
    name = entry["config"]["name"]
    if name in cut.pooled.values():
        entry["config"]["strides"] = (2, 2)
    if name in cut.pooled:
        entry["class_name"], entry["config"] = "Identity", {"name": name}


def largest_kernel(model: keras.Model) -> int:
    """Return the longest side of the kernels that a :class:`Cut` can make smaller; 0: none.

    Example::

        kernels = (None, 3) if largest_kernel(model) > 3 else (None,)
    """
    spatial = (layer for layer in model.layers if type(layer).__name__ in _SPATIAL)
    return max((max(s.kernel_size) for s in spatial if s.padding == "same"), default=0)


def _weights(layer: keras.layers.Layer, channels: Channels, cut: Cut) -> list[NDArray[Any]]:
    """Return the kept weights of a layer, in the order of ``get_weights``."""
    if layer.name not in channels.makes:
        weights: list[NDArray[Any]] = layer.get_weights()
        return weights
    inputs = _places(channels.reads[layer.name], cut)
    outputs = _places(channels.makes[layer.name], cut)
    kind = type(layer).__name__
    kernel = cut.kernel if getattr(layer, "padding", "") == "same" else None
    return [
        _cut_one(kind, weight.path.rsplit("/", 1)[-1], weight.numpy(), inputs, outputs, kernel)
        for weight in layer.weights
    ]


def _cut_one(
    kind: str,
    name: str,
    value: NDArray[Any],
    inputs: NDArray[np.int64] | None,
    outputs: NDArray[np.int64] | None,
    kernel: int | None,
) -> NDArray[Any]:
    if value.ndim == 4 and kernel:
        value = _centre(value, kernel)
    if kind == "DepthwiseConv2D" and value.ndim == 4:
        return _take(value, inputs, 2)
    if name == "depthwise_kernel":
        return _take(value, inputs, 2)
    if value.ndim >= 2:
        value = _take(value, inputs, value.ndim - 2)
    return _take(value, outputs, value.ndim - 1)


def _places(port: Port, cut: Cut) -> NDArray[np.int64] | None:
    kept = cut.kept.get(port.group.root)
    return None if kept is None else port.indices(kept)


def _take(value: NDArray[Any], places: NDArray[np.int64] | None, axis: int) -> NDArray[Any]:
    return value if places is None else np.take(value, places, axis)


def _centre(value: NDArray[Any], side: int) -> NDArray[Any]:
    """Return the middle of a kernel (height, width, …)."""
    for axis in (0, 1):
        extra = max(0, value.shape[axis] - side)
        value = np.take(value, np.arange(extra // 2, value.shape[axis] - extra + extra // 2), axis)
    return value
