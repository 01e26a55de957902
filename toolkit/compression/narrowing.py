"""Builds the narrower model: the same layers with fewer channels, and the weights that stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.compression.channels import Channels, Group, Port

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

_WIDTH = {"Conv2D": "filters", "SeparableConv2D": "filters", "Dense": "units"}
_SPATIAL = ("Conv2D", "SeparableConv2D", "DepthwiseConv2D")


@dataclass(frozen=True, slots=True)
class Cut:
    """What a narrower model keeps.

    Attributes:
        kept: by group, the sorted indices of the channels that stay, int64.
        kernel: the largest side of a convolution's kernel; larger ones keep their centre.
            None keeps all.
    """

    kept: dict[Group, NDArray[np.int64]]
    kernel: int | None = None


def narrowed(model: keras.Model, channels: Channels, cut: Cut) -> keras.Model:
    """Return a model with fewer channels and the weights of those that stay.

    Args:
        model: Sequential or functional.
        channels: what :func:`toolkit.compression.channels.find` says of it.
        cut: what stays.

    Returns:
        A new model with the names and the order of the layers of the old one.
    """
    config = model.get_config()
    for entry in config["layers"]:
        entry.pop("build_config", None)  # it holds the shapes of the old layers
        if entry["config"].get("name") in channels.makes:
            _narrow(entry, channels, cut)
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
    if kind in _WIDTH and made.group.root in cut.kept:
        config[_WIDTH[kind]] = len(cut.kept[made.group.root])
    if "Dropout" in kind:
        config["rate"] = 0.0
    if kind in _SPATIAL and cut.kernel:
        config["kernel_size"] = tuple(min(side, cut.kernel) for side in config["kernel_size"])


def _weights(layer: keras.layers.Layer, channels: Channels, cut: Cut) -> list[NDArray[Any]]:
    """Return the weights of a layer that stay, in the order of ``get_weights``."""
    if layer.name not in channels.makes:
        weights: list[NDArray[Any]] = layer.get_weights()
        return weights
    inside = _places(channels.reads[layer.name], cut)
    outside = _places(channels.makes[layer.name], cut)
    kind = type(layer).__name__
    return [
        _cut_one(kind, weight.path.rsplit("/", 1)[-1], weight.numpy(), inside, outside, cut.kernel)
        for weight in layer.weights
    ]


def _cut_one(
    kind: str,
    name: str,
    value: NDArray[Any],
    inside: NDArray[np.int64] | None,
    outside: NDArray[np.int64] | None,
    kernel: int | None,
) -> NDArray[Any]:
    if value.ndim == 4 and kernel:
        value = _centre(value, kernel)
    if kind == "DepthwiseConv2D" and value.ndim == 4:
        return _take(value, inside, 2)
    if name == "depthwise_kernel":
        return _take(value, inside, 2)
    if value.ndim >= 2:
        value = _take(value, inside, value.ndim - 2)
    return _take(value, outside, value.ndim - 1)


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
