"""Which stored weights differ from the model's by more than rounding explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDING = 0.51  # of a step: rounding to the nearest, and float32 noise from folding
_FLOAT32 = 4e-6  # relative to the largest weight of the channel: batch norm is folded in
_FLOAT16 = 1.1e-3  # relative to the weight: float16 keeps 11 bits
_LIMIT = 126.5  # steps; a weight stored at the end of int8 may be a clipped one


def unexplained(
    stored: NDArray[np.float32], expected: NDArray[np.float32], step: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Mark the weights that neither rounding nor clipping explains.

    Args:
        stored: in the file, (inputs, output channels).
        expected: of the model, in the same order.
        step: (output channels,), distance of two neighbouring values; 0 in float.

    Example:
        >>> stored = np.array([[0.5], [1.0]], np.float32)
        >>> expected = np.array([[0.52], [0.7]], np.float32)
        >>> unexplained(stored, expected, step=np.array([0.1], np.float32))
        array([[False],
               [ True]])
    """
    off, largest = np.abs(stored - expected), np.abs(expected).max(axis=0)
    if (step > 0).any():
        clipped = (np.abs(stored) >= _LIMIT * step) & (np.abs(expected) >= np.abs(stored))
        clipped &= np.sign(stored) == np.sign(expected)
        return np.asarray((off > _ROUNDING * step + _FLOAT32 * largest) & ~clipped)
    with np.errstate(over="ignore"):  # a damaged weight may be beyond float16
        half = stored.astype(np.float16).astype(np.float32)
    if np.array_equal(stored, half):
        return np.asarray(off > _FLOAT16 * np.abs(expected) + 1e-7)
    return np.asarray(off > _FLOAT32 * largest)
