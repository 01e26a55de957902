"""``stretch`` and ``pad``: resize the whole image to model size."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from runtime.preprocessing.fits.base import Fit
from runtime.preprocessing.prepared import Prepared

if TYPE_CHECKING:
    from PIL import Image


class _WholeImage(Fit):
    """Resize of the whole image; polarity ``auto`` takes a light border for background."""

    def fit(self, image: Image.Image, shape: tuple[int, int, int], polarity: str) -> Prepared:
        from runtime.preprocessing import resize

        height, width, channels = shape
        steps = [f"{image.width}x{image.height} {'grey' if image.mode == 'L' else 'colour'}"]
        image = image.convert("L" if channels == 1 else "RGB")
        if polarity == "invert" or (polarity == "auto" and resize.border_is_light(image)):
            image = resize.invert(image)
            steps.append("inverted" + (" (light border)" if polarity == "auto" else ""))
        if image.size != (width, height):
            steps.append(f"{self.name} to {width}x{height}")
            image = self._resize(image, (width, height))
        return Prepared(np.asarray(image).reshape(shape), tuple(steps))

    @abstractmethod
    def _resize(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        """Return the image at ``size`` (width, height)."""


class Stretch(_WholeImage):
    """Resize both sides independently; the aspect ratio is not kept.

    Example:
        >>> from PIL import Image
        >>> Stretch().fit(Image.new("RGB", (6, 3), "white"), (4, 4, 1), "auto").steps
        ('6x3 colour', 'inverted (light border)', 'stretch to 4x4')
    """

    name: ClassVar[str] = "stretch"

    def _resize(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        from runtime.preprocessing import resize

        return resize.stretch(image, size)


class Pad(_WholeImage):
    """Keep the aspect ratio; fill the rest with the median colour of the border.

    Example:
        >>> from PIL import Image
        >>> Pad().fit(Image.new("L", (6, 3), 9), (4, 4, 1), "as-is").pixels[0, 0, 0].item()
        9
    """

    name: ClassVar[str] = "pad"
    rank: ClassVar[int] = 1

    def _resize(self, image: Image.Image, size: tuple[int, int]) -> Image.Image:
        from runtime.preprocessing import resize

        return resize.pad(image, size)
