"""``center-of-mass``: the framing of MNIST, for photos and drawings of digits."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from runtime.preprocessing.fits.base import Fit
from runtime.preprocessing.prepared import Prepared

if TYPE_CHECKING:
    from PIL import Image


class CenterOfMass(Fit):
    """Crop to the strokes, fit them into 20/28 of the side, centre them by mass.

    Example:
        >>> from PIL import Image, ImageDraw
        >>> photo = Image.new("L", (100, 100), 230)
        >>> ImageDraw.Draw(photo).line([(50, 20), (50, 80)], fill=40, width=8)
        >>> CenterOfMass().fit(photo, (28, 28, 1), "auto").pixels.shape
        (28, 28, 1)
    """

    name: ClassVar[str] = "center-of-mass"
    rank: ClassVar[int] = 2
    channels: ClassVar[tuple[int, ...]] = (1,)
    decoded_side: ClassVar[int] = 160  # the working size of the segmentation

    def fit(self, image: Image.Image, shape: tuple[int, int, int], polarity: str) -> Prepared:
        """Segment, crop, fit and centre the strokes of a digit; see :meth:`Fit.fit`."""
        from runtime.preprocessing.digits.framing import frame_digit

        height, width, _ = shape
        digit = frame_digit(image, polarity, height, width)
        return Prepared(digit.pixels[..., None], digit.steps)
