"""Brings a picture to model size: stretch, pad, or the framing of MNIST."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from runtime.preprocessing.spec import Prepared

if TYPE_CHECKING:
    from runtime.preprocessing.spec import PreprocessSpec


def frame(image: Image.Image, spec: PreprocessSpec) -> Prepared:
    """Bring a picture (mode ``L`` or ``RGB``) to the size and polarity of a spec.

    Raises:
        InputError: the framing of MNIST was asked for and there is no ink.
    """
    if spec.fit == "center-of-mass":
        from runtime.preprocessing.digits.framing import frame_digit

        digit = frame_digit(image, spec.polarity, spec.height, spec.width)
        return Prepared(digit.pixels[..., None], digit.steps)
    return _frame_plain(image, spec)


def _frame_plain(image: Image.Image, spec: PreprocessSpec) -> Prepared:
    steps = [f"{image.width}x{image.height} {'grey' if image.mode == 'L' else 'colour'}"]
    image = image.convert("L" if spec.channels == 1 else "RGB")
    if spec.polarity == "invert" or (spec.polarity == "auto" and _border_is_light(image)):
        from PIL import ImageOps

        image = ImageOps.invert(image)
        steps.append("inverted" + (" (light border)" if spec.polarity == "auto" else ""))
    size = (spec.width, spec.height)
    if image.size != size:
        steps.append(f"{spec.fit} to {spec.width}x{spec.height}")
        image = _stretch(image, size) if spec.fit == "stretch" else _pad(image, size)
    return Prepared(np.asarray(image).reshape(spec.shape), tuple(steps))


def _stretch(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.BILINEAR)


def _pad(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Keep the aspect ratio; fill with the median colour of the picture's border."""
    from PIL import ImageOps

    pixels = _border(image)
    thin = -(-max(image.size) // max(size))
    if 2 * min(image.size) < thin:  # it would become less than half a pixel, that is none
        image = image.resize((max(image.width, thin), max(image.height, thin)))
    fill = np.median(pixels.reshape(len(pixels), -1), axis=0).astype(int)
    color = int(fill[0]) if image.mode == "L" else tuple(int(v) for v in fill)
    return ImageOps.pad(image, size, Image.Resampling.BILINEAR, color=color)


def _border_is_light(image: Image.Image) -> bool:
    return float(np.median(_border(image.convert("L")))) > 127.5


def _border(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    pixels = np.asarray(image)
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
