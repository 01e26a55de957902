"""Importance of each channel, measured on training images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from toolkit.compression.channels import Channels, Group

_BATCH = 100


def importance(
    model: keras.Model,
    channels: Channels,
    batch: NDArray[np.float32],
    truth: NDArray[np.int64],
    scores: str,
) -> dict[Group, NDArray[np.float64]]:
    """Estimate the change of the loss if a channel is removed.

    The first-order term of the Taylor expansion: |activation times gradient|, summed over
    the pixels of a channel, the mean over images (Molchanov et al., Importance Estimation
    for Neural Network Pruning, CVPR 2019).

    Args:
        model: a classifier.
        channels: its channels.
        batch: float32 (n, height, width, channels), training images in model units.
        truth: int64 (n,), their classes.
        scores: the output of the model, ``probabilities`` or ``logits``.

    Returns:
        By group, float64 (channels,), in the unit of the loss.

    Example::

        channels = find(model)
        scores = importance(model, channels, batch, truth, "probabilities")
        least = {group: values.argmin() for group, values in scores.items()}
    """
    import keras

    makers = [(group, name) for group in channels.groups for name in group.makers]
    taps = [model.get_layer(name).output for _, name in makers]
    tapped = keras.Model(model.inputs[0], [*taps, *model.outputs])
    found = {group: np.zeros(group.size) for group in channels.groups}
    for start in range(0, len(batch), _BATCH):
        chunk = slice(start, start + _BATCH)
        effects = _effects(tapped, batch[chunk], truth[chunk], scores)
        for (group, _), effect in zip(makers, effects, strict=True):
            found[group] += effect
    return {group: value / len(batch) for group, value in found.items()}


def _effects(
    tapped: keras.Model, batch: NDArray[np.float32], truth: NDArray[np.int64], scores: str
) -> list[NDArray[np.float64]]:
    """Return, for each tapped layer, the sum over images of |activation x gradient|."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        *activations, outputs = tapped(batch, training=False)
        # log-probabilities of softmax outputs are logits up to a constant
        logits = tf.math.log(outputs + 1e-9) if scores == "probabilities" else outputs
        loss = tf.reduce_sum(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=truth, logits=logits)
        )
    gradients = tape.gradient(loss, activations)
    return [_per_channel(a, g) for a, g in zip(activations, gradients, strict=True)]


def _per_channel(activation: object, gradient: object) -> NDArray[np.float64]:
    product = np.asarray(activation, np.float64) * np.asarray(gradient, np.float64)
    pixels = tuple(range(1, product.ndim - 1))
    effect: NDArray[np.float64] = np.abs(product.sum(axis=pixels)).sum(axis=0)
    return effect
