"""Number of channels that each layer keeps, and which: the same share of every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from toolkit.compression.channels import Group

    Widths = dict[Group, int]

# Engines compute 8 channels at once: on LiteRT int8 (x86-64) the tutorial network with
# layers of 10 and 20 channels took as long as with 12 and 24.
STEP = 8


def ladder(groups: Iterable[Group]) -> list[Widths]:
    """Return ever narrower widths, from the whole model to one step per layer.

    Each rung keeps the same share of every group, rounded up to a step: the width
    multiplier of Howard et al., MobileNets, 2017. Narrowing layer by layer, by importance
    for the multiply-adds saved, was tried: it emptied the first layers of the tutorial
    network and left the dense one as it was.

    Example:
        >>> from toolkit.compression.channels import Group
        >>> [list(widths.values()) for widths in ladder([Group(32), Group(16)])]
        [[32, 16], [24, 16], [16, 8], [8, 8]]
    """
    sizes = {group: group.size for group in groups}
    shares = sorted({n / size for size in sizes.values() for n in range(STEP, size, STEP)})
    rungs = [sizes]
    for share in reversed(shares):
        widths = {group: min(size, _up(share * size)) for group, size in sizes.items()}
        if widths != rungs[-1]:
            rungs.append(widths)
    return rungs


def keep(
    scores: dict[Group, NDArray[np.float64]], widths: Widths
) -> dict[Group, NDArray[np.int64]]:
    """Return, for each group, the sorted indices of its most important channels.

    Example:
        >>> from toolkit.compression.channels import Group
        >>> group = Group(3)
        >>> keep({group: np.array([0.1, 0.9, 0.5])}, {group: 2})[group]
        array([1, 2])
    """
    return {
        group: np.sort(np.argsort(-score, kind="stable")[: widths[group]]).astype(np.int64)
        for group, score in scores.items()
    }


def _up(width: float) -> int:
    """Round up to a multiple of the step."""
    return STEP * max(1, int(np.ceil(width / STEP - 1e-9)))
