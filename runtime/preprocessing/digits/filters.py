"""Operations on image planes: medians, moving minima, blur.

They are made for planes of 28 to 160 pixels a side, where the time goes into the number of
calls of numpy and into memory, not into arithmetic.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Plane = NDArray[np.float32]


def median(values: NDArray[Any]) -> Any:
    """Return the median along the last axis; five times as fast as numpy's on 1000 values."""
    count = values.shape[-1]
    low, high = (count - 1) // 2, count // 2
    ordered = np.partition(values, (low, high) if high > low else low, axis=-1)
    return (ordered[..., low] + ordered[..., high]) * np.float32(0.5)


def _padded(plane: NDArray[Any], before: int, after: int) -> NDArray[Any]:
    """Repeat the first and the last row; ten times as fast as numpy.pad on small planes."""
    if not before and not after:
        return plane
    rows: NDArray[Any] = plane[np.arange(-before, len(plane) + after).clip(0, len(plane) - 1)]
    return rows


def smooth(plane: Plane) -> Plane:
    """Average with weights 1-2-1 along both axes."""
    for _ in range(2):
        rows = _padded(plane, 1, 1)
        plane = ((rows[:-2] + rows[2:]) * np.float32(0.25) + rows[1:-1] * np.float32(0.5)).T
    return plane


def block_minimum(plane: Plane, block: int) -> Plane:
    """Return the minimum of each block of pixels; what lacks at the end is repeated.

    Args:
        plane: (rows, columns).
        block: side of a block; numpy's ``min`` over two axes takes ten times as long.
    """
    for _ in range(2):
        plane = _padded(plane, 0, -len(plane) % block)
        plane = reduce(np.minimum, [plane[start::block] for start in range(block)]).T
    return plane


def running(plane: NDArray[Any], window: int, pick: np.ufunc) -> NDArray[Any]:
    """Minimum or maximum over a square window of odd side, by doubling: log2(window) steps."""
    for _ in range(2):
        half, count, reach = window // 2, len(plane), 1
        plane = _padded(plane, half, half)
        while 2 * reach <= window:
            plane = pick(plane[:-reach], plane[reach:])
            reach *= 2
        rest = window - reach
        plane = pick(plane[:count], plane[rest : rest + count]).T
    return plane


def spread(mask: Mask, window: int) -> Mask:
    """Widen a mask by half a window on each side."""
    return running(mask, window, np.logical_or)
