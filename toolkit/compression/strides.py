"""Convolutions that can take over the stride of the max pooling after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.compression.channels import tensors

if TYPE_CHECKING:
    import keras

# They work on each pixel, so the pooling can be moved before them.
_BETWEEN = ("Activation", "BatchNormalization", "Dropout", "ReLU", "SpatialDropout2D")
_STEP = (2, 2)


def pooled(model: keras.Model) -> dict[str, str]:
    """Return the max poolings that a convolution with a stride of 2 can replace.

    A quarter of its multiply-adds remain, and the pooling costs nothing. Springenberg
    et al., Striving for Simplicity: The All Convolutional Net, 2014, found such networks as
    accurate as those with pooling.

    Args:
        model: Sequential or functional; each layer used once.

    Returns:
        Name of the convolution by name of the pooling. Only if no shape changes, and no other
        layer reads the tensors in between.

    Example::

        cut = Cut(kept, pooled=pooled(model))
    """
    before = _only_readers(model)
    layers = {layer.name: layer for layer in model.layers}
    found = {}
    for layer in model.layers:
        if type(layer).__name__ != "MaxPooling2D" or not _halves(layer):
            continue
        source = before.get(layer.name)
        while source and type(layers[source]).__name__ in _BETWEEN:
            source = before.get(source)
        if source and _takes_every_pixel(layers[source]):
            found[layer.name] = source
    return found


def _only_readers(model: keras.Model) -> dict[str, str]:
    """Return, by layer, the layer whose output only it reads."""
    readers: dict[str, list[str]] = {}
    for layer in model.layers:
        for source in _sources(layer):
            readers.setdefault(source, []).append(layer.name)
    return {names[0]: source for source, names in readers.items() if len(names) == 1}


def _sources(layer: keras.layers.Layer) -> list[str]:
    if type(layer).__name__ == "InputLayer":
        return []
    found = tensors(layer.input)
    return [tensor._keras_history.operation.name for tensor in found]  # noqa: SLF001 - no public way


def _halves(layer: keras.layers.Layer) -> bool:
    """Whether a pooling reduces each 2x2 to one pixel, without a remainder."""
    even = all(side and side % 2 == 0 for side in layer.input.shape[1:3])
    return even and layer.pool_size == _STEP and layer.strides == _STEP and _last(layer)


def _takes_every_pixel(layer: keras.layers.Layer) -> bool:
    plain = type(layer).__name__ == "Conv2D" and layer.strides == layer.dilation_rate == (1, 1)
    return plain and _last(layer)


def _last(layer: keras.layers.Layer) -> bool:
    return bool(layer.data_format == "channels_last")
