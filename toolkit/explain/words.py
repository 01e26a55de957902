"""One line of explanation for each kind of layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

UNKNOWN = "A layer without an explanation here."
_WORDS = {
    "InputLayer": "The image, as numbers.",
    "Conv2D": "Slides small filters over the image; each looks for one pattern.",
    "DepthwiseConv2D": "A convolution with one filter per channel: far cheaper.",
    "SeparableConv2D": "One filter per channel, then a mix of the channels: cheaper.",
    "MaxPooling2D": "Keeps the strongest value of each window: smaller maps, less to compute.",
    "AveragePooling2D": "Takes the mean of each window: smaller maps, less to compute.",
    "GlobalAveragePooling2D": "Takes the mean of each whole map: one number per channel.",
    "GlobalMaxPooling2D": "Takes the strongest value of each whole map: one number per channel.",
    "ZeroPadding2D": "Puts zeros around the map, so that filters also see its border.",
    "Dropout": "Sets values to zero at random in training, against overfitting.",
    "SpatialDropout2D": "Sets whole maps to zero at random in training.",
    "BatchNormalization": "Normalizes each channel; an export folds it into its neighbour.",
    "Flatten": "Turns all maps into one vector.",
    "Dense": "Each output is a weighted sum of all inputs.",
    "Activation": "A nonlinear function; without it, all layers would be one weighted sum.",
    "ReLU": "Sets negative values to zero.",
    "Softmax": "Turns scores into probabilities that sum to 1.",
    "Add": "Adds maps: a shortcut past the layers between them.",
    "Average": "Takes the mean of several inputs.",
    "Concatenate": "Joins the maps of several branches along the channels.",
    "Rescaling": "Scales the pixels to the range that the network was trained on.",
}
_PADDED = {
    "same": " Padding same: zeros around it keep the size.",
    "valid": " Padding valid: no zeros, the map shrinks.",
}


def explain(layer: keras.layers.Layer) -> str:
    """Return what a layer does, in one line; with its padding and its softmax, if any.

    Example::

        explain(keras.layers.ReLU())  # 'Sets negative values to zero.'
    """
    kind = type(layer).__name__
    text = _WORDS.get(kind, UNKNOWN)
    if kind in ("Conv2D", "DepthwiseConv2D", "SeparableConv2D"):
        text += _PADDED.get(layer.padding, "")
    activation = getattr(getattr(layer, "activation", None), "__name__", "")
    if activation == "softmax" and kind != "Softmax":
        text += " Softmax turns the sums into probabilities."
    return text
