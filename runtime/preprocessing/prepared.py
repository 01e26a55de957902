"""The result of preprocessing one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image at model size, with the steps that led to it.

    Attributes:
        pixels: uint8 (height, width, channels), 0…255, in the polarity of training.
        steps: what was done, in order, one short phrase each.

    Example:
        >>> from PIL import Image
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> spec = PreprocessSpec(height=8, width=8, fit="pad")
        >>> prepared = spec.prepare(Image.new("L", (20, 10)))
        >>> prepared.pixels.shape, prepared.steps
        ((8, 8, 1), ('20x10 grey', 'pad to 8x8'))
    """

    pixels: NDArray[np.uint8]
    steps: tuple[str, ...]
