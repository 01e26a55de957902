"""One plain line for each kind of layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

UNKNOWN = "A layer that this page has no words for."
_WORDS = {
    "InputLayer": "The image, as numbers.",
    "Conv2D": "Slides small filters over the image; each looks for one pattern.",
    "DepthwiseConv2D": "A convolution with one filter a channel: far cheaper.",
    "SeparableConv2D": "One filter a channel, then a mix of the channels: cheaper.",
    "MaxPooling2D": "Keeps the strongest value of each window: smaller maps, less to compute.",
    "AveragePooling2D": "Takes the mean of each window: smaller maps, less to compute.",
    "GlobalAveragePooling2D": "Takes the mean of each whole map: one number a channel.",
    "GlobalMaxPooling2D": "Takes the strongest value of each whole map: one number a channel.",
    "ZeroPadding2D": "Puts zeros around the map, so that filters also see its border.",
    "Dropout": "Switches values off at random in training, against learning by heart.",
    "SpatialDropout2D": "Switches whole maps off at random in training.",
    "BatchNormalization": "Brings each channel to one scale; an export folds it away.",
    "Flatten": "Writes all maps into one long row of numbers.",
    "Dense": "Each output is a weighted sum of all inputs.",
    "Activation": "Bends the values; without it, all layers together would be one weighted sum.",
    "ReLU": "Sets negative values to zero.",
    "Softmax": "Turns scores into probabilities that sum to 1.",
    "Add": "Adds maps: a shortcut past the layers between.",
    "Average": "Takes the mean of several answers.",
    "Concatenate": "Puts the maps of several branches behind each other.",
    "Rescaling": "Brings the pixels to the range that the network learned with.",
}
_PADDED = {
    "same": " Padding same: zeros around it keep the size.",
    "valid": " Padding valid: no zeros, the map shrinks.",
}


def explain(layer: keras.layers.Layer) -> str:
    """Return what a layer does, in one line; with its padding and its softmax, if any."""
    kind = type(layer).__name__
    text = _WORDS.get(kind, UNKNOWN)
    if kind in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D"):
        text += _PADDED.get(layer.padding, "")
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    if activation == "softmax" and kind != "Softmax":
        text += " Softmax turns the sums into probabilities."
    return text
