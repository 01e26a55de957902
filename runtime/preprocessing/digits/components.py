"""Connected pieces of a mask, kept as runs of pixels: a drawing has few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Numbers = NDArray[np.intp]
    Plane = NDArray[np.float32]


class Pieces(NamedTuple):
    """The 8-connected pieces of a mask; each answer below has one value a piece.

    Attributes:
        mask: all pieces, (rows, columns).
        start: where each run of pixels in a row begins in the flattened mask.
        stop: where it ends.
        number: the piece of each run, 0, 1, 2 …
        total: how many pieces there are.
    """

    mask: Mask
    start: Numbers
    stop: Numbers
    number: Numbers
    total: int

    def areas(self) -> NDArray[Any]:
        """Return pixels."""
        return self._sum(self.stop - self.start)

    def borders(self) -> NDArray[Any]:
        """Return pixels on the border of the mask; one in a corner counts twice."""
        rows, columns = self.mask.shape
        row, left = np.divmod(self.start, columns)
        length = self.stop - self.start
        level = ((row == 0) + 0 + (row == rows - 1)) * length
        return self._sum(level + (left == 0) + (left + length == columns))

    def sums(self, plane: Plane) -> NDArray[Any]:
        """Return the sum of a plane's values over each piece."""
        if not self.total:
            return np.zeros(0)
        ends = np.stack([self.start, self.stop], axis=1).ravel()
        # what lies between two runs is summed, too, and left out
        return self._sum(np.add.reduceat(np.append(plane, np.float32(0)), ends)[::2])

    def only(self, keep: Mask) -> Mask:
        """Return the mask of some pieces.

        Args:
            keep: which, (pieces,).
        """
        if keep.all():
            return self.mask
        mask = self.mask.copy()
        flat = mask.ravel()
        gone = ~keep[self.number]
        for start, stop in zip(self.start[gone].tolist(), self.stop[gone].tolist(), strict=True):
            flat[start:stop] = False
        return mask

    def _sum(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(self.number, values, self.total)


def pieces(mask: Mask) -> Pieces:
    """Find the 8-connected pieces of a mask (rows, columns)."""
    rows, columns = mask.shape
    field = np.zeros((rows, columns + 1), np.bool_)  # a gap after each row ends its last run
    field[:, :-1] = mask
    flat = field.ravel()
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[0]:
        ends = np.concatenate([[0], ends])
    start, stop = ends[::2], ends[1::2]
    number, count = _joined(start.tolist(), stop.tolist(), columns + 1)
    gaps = start // (columns + 1)
    return Pieces(mask, start - gaps, stop - gaps, np.array(number, np.intp), count)


def _joined(start: Sequence[int], stop: Sequence[int], stride: int) -> tuple[list[int], int]:
    """Give runs that touch, over corners too, the same number; count the numbers.

    Each run is compared with those of the row above that it touches, which is one stretch of
    them (union-find, path halving). Plain lists: numpy takes longer for one value than this
    for a run.
    """
    parent = list(range(len(start)))

    def root(one: int) -> int:
        while parent[one] != one:
            parent[one] = one = parent[parent[one]]
        return one

    first = 0
    for this, (left, right) in enumerate(zip(start, stop, strict=True)):
        while stop[first] < left - stride:
            first += 1
        above = first
        while start[above] <= right - stride:
            parent[root(above)] = root(this)
            above += 1
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(one), len(numbers)) for one in range(len(start))], len(numbers)
