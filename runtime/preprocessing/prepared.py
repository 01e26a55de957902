"""An image at model size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image at model size, and what was done to get there.

    Attributes:
        pixels: uint8 (height, width, channels), 0…255, in the polarity of training.
        steps: what was done, in order, one short sentence each.
    """

    pixels: NDArray[np.uint8]
    steps: tuple[str, ...]
