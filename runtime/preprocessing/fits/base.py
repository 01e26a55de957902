"""The base class of the ways to bring an image to model size."""

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
        name: what ``--fit`` takes.
        rank: order in lists.
        channels: of the model inputs that it works for; 1 is grey, 3 is RGB.
        decoded_side: pixels of the longest side that are enough: the decoder may shrink a
            larger JPEG to it. 0 asks for all pixels.
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
            InputError: nothing can be made of the image (for example: it is blank).
        """
