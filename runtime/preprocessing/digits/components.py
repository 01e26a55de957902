"""Connected components of a binary mask, stored as run lengths.

A mask of strokes has few runs of pixels, so that labelling runs is faster than labelling pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Indices = NDArray[np.intp]
    FloatImage = NDArray[np.float32]


class Components(NamedTuple):
    """The 8-connected components of a mask.

    The methods that measure return one value per component.

    Attributes:
        mask: all components, (rows, columns).
        start: first index of each run of pixels in the flattened mask.
        stop: index after the last pixel of each run.
        label: component of each run, 0, 1, 2 …
        total: number of components.

    Example:
        >>> import numpy as np
        >>> mask = np.array([[1, 0, 0, 0], [0, 1, 0, 1]], bool)
        >>> found = connected_components(mask)
        >>> found.total, found.areas().tolist(), found.border_pixels().tolist()
        (2, [2.0, 1.0], [3.0, 2.0])
        >>> found.select(found.areas() > 1).astype(int).tolist()
        [[1, 0, 0, 0], [0, 1, 0, 0]]
    """

    mask: Mask
    start: Indices
    stop: Indices
    label: Indices
    total: int

    def areas(self) -> NDArray[Any]:
        """Return the number of pixels of each component."""
        return self._sum(self.stop - self.start)

    def border_pixels(self) -> NDArray[Any]:
        """Return the number of pixels on the border of the mask; one in a corner counts twice."""
        rows, columns = self.mask.shape
        row, left = np.divmod(self.start, columns)
        length = self.stop - self.start
        level = ((row == 0) + 0 + (row == rows - 1)) * length
        return self._sum(level + (left == 0) + (left + length == columns))

    def sums(self, image: FloatImage) -> NDArray[Any]:
        """Return the sum of an image's values over each component.

        Args:
            image: float32, of the mask's shape.
        """
        if not self.total:
            return np.zeros(0)
        ends = np.stack([self.start, self.stop], axis=1).ravel()
        # reduceat also sums what lies between two runs; every second sum is dropped
        return self._sum(np.add.reduceat(np.append(image, np.float32(0)), ends)[::2])

    def select(self, keep: Mask) -> Mask:
        """Return the mask of the selected components.

        Args:
            keep: which ones, (components,).
        """
        if keep.all():
            return self.mask
        mask = self.mask.copy()
        flat = mask.ravel()
        removed = ~keep[self.label]
        starts, stops = self.start[removed].tolist(), self.stop[removed].tolist()
        for start, stop in zip(starts, stops, strict=True):
            flat[start:stop] = False
        return mask

    def _sum(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(self.label, values, self.total)


def connected_components(mask: Mask) -> Components:
    """Label the 8-connected components of a mask.

    Args:
        mask: (rows, columns).

    Example:
        >>> import numpy as np
        >>> connected_components(np.eye(3, dtype=bool)).total
        1
    """
    rows, columns = mask.shape
    padded = np.zeros((rows, columns + 1), np.bool_)  # a gap after each row ends its last run
    padded[:, :-1] = mask
    flat = padded.ravel()
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[0]:
        ends = np.concatenate([[0], ends])
    start, stop = ends[::2], ends[1::2]
    label, count = _labelled(start.tolist(), stop.tolist(), columns + 1)
    gaps = start // (columns + 1)
    return Components(mask, start - gaps, stop - gaps, np.array(label, np.intp), count)


def _labelled(start: Sequence[int], stop: Sequence[int], stride: int) -> tuple[list[int], int]:
    """Give runs that touch, over corners too, the same label; return labels and their number.

    Union-find with path halving: each run is united with the runs of the row above that it
    touches, which are consecutive. Plain lists, because numpy takes longer to read one value
    than this takes for a run.
    """
    parent = list(range(len(start)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = run = parent[parent[run]]
        return run

    first = 0
    for this, (left, right) in enumerate(zip(start, stop, strict=True)):
        while stop[first] < left - stride:
            first += 1
        above = first
        while start[above] <= right - stride:
            parent[root(above)] = root(this)
            above += 1
    labels: dict[int, int] = {}
    return [labels.setdefault(root(run), len(labels)) for run in range(len(start))], len(labels)
