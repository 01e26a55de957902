"""The framing of MNIST: from a photo of a digit to centred light ink on black."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from runtime.errors import InputError
from runtime.preprocess import Prepared

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BOX = 20 / 28  # MNIST fits the ink into 20 of 28 pixels


def center_ink(image: Image.Image, height: int, width: int) -> Prepared:
    """Crop to the ink, fit it into 20/28 of the side, centre it by mass.

    Source of the numbers: LeCun et al., "The MNIST database": 20x20 box, aspect
    ratio kept, centre of mass in the middle of the 28x28 field.

    Args:
        image: mode ``L``, light ink on black (0).
        height: rows of the result.
        width: columns of the result.

    Returns:
        uint8 (height, width) with the steps taken.

    Raises:
        InputError: the image is black.
    """
    pixels = np.asarray(image)
    top, bottom, left, right = _bounds(pixels)
    crop = image.crop((left, top, right, bottom))
    scale = min(height * _BOX / crop.height, width * _BOX / crop.width)
    size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
    small = np.asarray(crop.resize(size, Image.Resampling.BICUBIC))
    field = _place(small, height, width)
    steps = (
        f"cropped to {crop.width}x{crop.height}",
        f"scaled to {size[0]}x{size[1]}",
        "centred by mass",
    )
    return Prepared(field, steps)


def isolate(image: Image.Image, polarity: str) -> Prepared:
    """Separate ink from paper."""
    grey = np.asarray(image.convert("L")).astype(np.float32)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(border))
    dark = polarity == "invert" or (polarity == "auto" and paper > 127)
    ink = paper - grey if dark else grey - paper
    ink = np.clip(ink, 0, None)
    if ink.max() < 8:
        raise InputError("no ink found: the image is blank")
    ink = np.clip((ink / np.percentile(ink, 99.5) - 0.25) / 0.5, 0, 1)
    return Prepared(np.round(ink * 255).astype(np.uint8), ("inverted",) if dark else ())


def _bounds(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    if len(rows) == 0:
        raise InputError("no ink found: the image is blank")
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _place(small: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Put an image into a black field with its centre of mass in the middle."""
    mass = small.astype(np.float64)
    total = mass.sum()
    y = float(mass.sum(axis=1) @ np.arange(len(mass))) / total
    x = float(mass.sum(axis=0) @ np.arange(mass.shape[1])) / total
    top = int(np.clip(round(height / 2 - y), 0, height - len(small)))
    left = int(np.clip(round(width / 2 - x), 0, width - small.shape[1]))
    field = np.zeros((height, width), np.uint8)
    field[top : top + len(small), left : left + small.shape[1]] = small
    return field
