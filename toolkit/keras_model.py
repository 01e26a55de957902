"""Runs a Keras model: the reference that every artifact is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

_BATCH = 500


def predict(model: keras.Model, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the model's probabilities, (n, classes) float32.

    Args:
        model: a classifier with one input and one output.
        batch: (n, height, width, channels) in model units.
    """
    parts = [
        np.asarray(model(batch[start : start + _BATCH], training=False))
        for start in range(0, len(batch), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float32, copy=False)
