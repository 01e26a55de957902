"""Resizing, padding and inversion of whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stretch(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize an image; the aspect ratio is not kept.

    Args:
        image: mode ``L`` or ``RGB``.
        size: width and height of the result.

    Example:
        >>> stretch(Image.new("L", (40, 20)), (8, 8)).size
        (8, 8)
    """
    return image.resize(size, Image.Resampling.BILINEAR)


def pad(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize an image with its aspect ratio; fill the rest with its border's median colour.

    Args:
        image: mode ``L`` or ``RGB``.
        size: width and height of the result.

    Example:
        >>> padded = pad(Image.new("L", (40, 20), 200), (8, 8))
        >>> padded.size, padded.getpixel((0, 0))
        ((8, 8), 200)
    """
    pixels = _border(image)
    thin = -(-max(image.size) // max(size))
    if 2 * min(image.size) < thin:  # it would become less than half a pixel, that is none
        image = image.resize((max(image.width, thin), max(image.height, thin)))
    fill = np.median(pixels.reshape(len(pixels), -1), axis=0).astype(int)
    color = int(fill[0]) if image.mode == "L" else tuple(int(v) for v in fill)
    return ImageOps.pad(image, size, Image.Resampling.BILINEAR, color=color)


def invert(image: Image.Image) -> Image.Image:
    """Return the negative of an image.

    Args:
        image: mode ``L`` or ``RGB``.

    Example:
        >>> invert(Image.new("L", (1, 1), 55)).getpixel((0, 0))
        200
    """
    return ImageOps.invert(image)


def border_is_light(image: Image.Image) -> bool:
    """Whether the median grey value of the outermost pixels is above the middle.

    Args:
        image: mode ``L`` or ``RGB``.

    Example:
        >>> border_is_light(Image.new("RGB", (4, 4), "white"))
        True
    """
    return float(np.median(_border(image.convert("L")))) > 127.5


def _border(image: Image.Image) -> NDArray[np.uint8]:
    pixels = np.asarray(image)
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
