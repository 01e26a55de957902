"""Base class of the ways to bring an image to model size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from PIL import Image

    from runtime.preprocessing.prepared import Prepared

POLARITIES = ("as-is", "invert", "auto")


class Fit(ABC):
    """One way to bring an image of any size to model size.

    Attributes:
        name: name of the fit, as ``--fit`` takes it.
        rank: position in lists.
        channels: supported channels of the model input; 1 is grey, 3 is RGB.
        decoded_side: smallest longest side in pixels that is enough: the decoder may shrink
            a larger JPEG to it. 0 requests all pixels.

    Example::

        class Crop(Fit):
            name = "crop"

            def fit(self, image, shape, polarity):
                height, width, channels = shape
                converted = image.convert("L" if channels == 1 else "RGB")
                cropped = ImageOps.fit(converted, (width, height))
                return Prepared(np.asarray(cropped).reshape(shape), ("cropped",))
    """

    name: ClassVar[str]
    rank: ClassVar[int] = 0
    channels: ClassVar[tuple[int, ...]] = (1, 3)
    decoded_side: ClassVar[int] = 0

    @abstractmethod
    def fit(self, image: Image.Image, shape: tuple[int, int, int], polarity: str) -> Prepared:
        """Bring an image to model size and polarity.

        Args:
            image: mode ``L`` or ``RGB``, any size.
            shape: height, width and channels of the result.
            polarity: one of :data:`POLARITIES`.

        Returns:
            uint8 pixels of that shape, with the steps taken.

        Raises:
            InputError: the image cannot be used (for example: it is blank).

        Example:
            >>> from PIL import Image
            >>> from runtime.preprocessing.fits import fits
            >>> fits()["pad"]().fit(Image.new("L", (6, 3)), (4, 4, 1), "as-is").steps
            ('6x3 grey', 'pad to 4x4')
        """
