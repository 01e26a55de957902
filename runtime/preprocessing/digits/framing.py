"""The framing of MNIST: from a photo of a digit to light strokes, centred on black.

The stages: segmentation of the strokes, normalization of the stroke width (morphological
dilation or erosion), crop to the bounding box, resize to 20/28 of the side, and a shift of the
centre of mass to the middle.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from runtime.errors import InputError
from runtime.preprocessing.decode import BLANK, size_in_file
from runtime.preprocessing.prepared import Prepared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

# LeCun, Cortes, Burges, "The MNIST database": the digit is fitted into 20x20, aspect ratio kept,
# and its centre of mass is put in the middle of the 28x28 field.
_SIDE = 28
_BOX = 20 / _SIDE
_OFF_CENTRE = 1.5 / _SIDE  # MNIST's own centres of mass lie within 0.52 pixels of (14, 14)
_FINE = 4  # stroke widths are measured and normalized at 4 times the size of the result
_STROKE = (1.4, 3.2)  # pixels of 28: the 1st and the 85th percentile of MNIST
_MARGIN = 3 * _FINE  # room for strokes to grow
_GAIN = 1.5  # contrast at the edges of enlarged strokes: MNIST is black and white, made smaller
_SHARPENED = np.clip((np.arange(256) - 127.5) * _GAIN + 127.5, 0, 255).astype(np.uint8)


def already_framed(image: Image.Image) -> bool:
    """Whether an image has the framing of MNIST, so that nothing needs to be done.

    Args:
        image: any mode and size.

    Returns:
        True for mode ``L``, 28x28, light strokes on exact 0, inside a box of 20x20 whose
        centre of mass lies within 1.5 pixels of (14, 14). True for all of MNIST.

    Example:
        >>> from PIL import Image
        >>> digit = Image.new("L", (28, 28))
        >>> digit.paste(255, (12, 4, 16, 24))
        >>> already_framed(digit), already_framed(digit.resize((56, 56)))
        (True, False)
    """
    return image.mode == "L" and image.size == (_SIDE, _SIDE) and _is_framed(np.asarray(image))


def isolate_strokes(image: Image.Image, polarity: str) -> Prepared:
    """Separate strokes from background and normalize the stroke width to MNIST's.

    An image in MNIST's framing comes back as it is (or inverted, if it is its negative).

    Args:
        image: mode ``L`` or ``RGB``, any size: light or dark strokes of any colour.
        polarity: ``as-is`` (the strokes are lighter than the background), ``invert``
            (darker) or ``auto`` (detected).

    Returns:
        uint8 (rows, columns), light strokes on 0, cropped to the strokes with some margin.

    Raises:
        InputError: the image is blank.

    Example:
        >>> from PIL import Image, ImageDraw
        >>> photo = Image.new("L", (100, 100), 230)
        >>> ImageDraw.Draw(photo).line([(50, 20), (50, 80)], fill=40, width=8)
        >>> isolate_strokes(photo, "auto").steps[0]
        '100x100: found dark strokes'
    """
    return _as_framed(image, polarity) or _isolate(image, polarity)


def frame_digit(image: Image.Image, polarity: str, height: int, width: int) -> Prepared:
    """Do :func:`isolate_strokes`, then :func:`center_by_mass`: from a photo to model size.

    Args:
        image: mode ``L`` or ``RGB``, any size: light or dark strokes of any colour.
        polarity: see :func:`isolate_strokes`.
        height: rows of the result.
        width: columns of the result.

    Returns:
        uint8 (height, width), light strokes on 0.

    Raises:
        InputError: the image is blank.

    Example:
        >>> from PIL import Image, ImageDraw
        >>> photo = Image.new("RGB", (100, 100), "white")
        >>> ImageDraw.Draw(photo).line([(50, 20), (50, 80)], fill="navy", width=8)
        >>> digit = frame_digit(photo, "auto", 28, 28)
        >>> digit.pixels.shape, digit.steps[-1]
        ((28, 28), 'centred by mass')
    """
    framed = _as_framed(image, polarity)
    if framed is not None and (height, width) == (_SIDE, _SIDE):
        return framed
    strokes = framed or _isolate(image, polarity)
    centered = center_by_mass(Image.fromarray(strokes.pixels), height, width)
    return Prepared(centered.pixels, strokes.steps + centered.steps)


def _isolate(image: Image.Image, polarity: str) -> Prepared:
    # imported late: images that are framed already, as those of a dataset, do not need it
    from runtime.preprocessing.digits.segmentation import find_strokes

    strokes = find_strokes(image, polarity)
    width, height = size_in_file(image)
    steps = [f"{width}x{height}: found {'dark' if strokes.dark else 'light'} strokes"]
    if strokes.dropped:
        steps.append(f"left out {strokes.dropped} specks or strokes at the border")
    coverage = Image.fromarray(np.round(strokes.coverage * 255).astype(np.uint8))
    pixels, before, after = _normalize_width(coverage)
    if before != after:
        steps.append(f"strokes brought from {before:.1f} to {after:.1f} pixels of 28")
    return Prepared(pixels, tuple(steps))


def center_by_mass(image: Image.Image, height: int, width: int) -> Prepared:
    """Crop to the strokes, fit them into 20/28 of the side, centre them by mass.

    Args:
        image: mode ``L``, light strokes on black (0).
        height: rows of the result.
        width: columns of the result.

    Returns:
        uint8 (height, width) with the steps taken; an image that has this size and
        framing comes back as it is.

    Raises:
        InputError: the image is black.

    Example:
        >>> from PIL import Image
        >>> drawing = Image.new("L", (60, 60))
        >>> drawing.paste(255, (5, 5, 15, 45))
        >>> center_by_mass(drawing, 28, 28).steps
        ('cropped to 10x40', 'scaled to 5x20', 'centred by mass')
    """
    if (height, width) == (_SIDE, _SIDE) and already_framed(image):
        return Prepared(np.array(image), ())
    crop = image.crop(_bounding_box(image))
    scale = min(height * _BOX / crop.height, width * _BOX / crop.width)
    size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
    # Areas are averaged when shrinking, as in MNIST; enlarging needs a smooth curve.
    filter_ = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    field = _paste_centred(np.asarray(crop.resize(size, filter_)), height, width)
    steps = (
        f"cropped to {crop.width}x{crop.height}",
        f"scaled to {size[0]}x{size[1]}",
        "centred by mass",
    )
    return Prepared(field, steps)


def _as_framed(image: Image.Image, polarity: str) -> Prepared | None:
    """Return the pixels of an image that is framed already, or its negative; None for others."""
    if image.size != (_SIDE, _SIDE):
        return None
    pixels: Pixels = np.array(image)
    if pixels.ndim == 3:
        if (pixels != pixels[..., :1]).any():
            return None
        pixels = pixels[..., 0].copy()
    # no stroke of MNIST reaches a corner: a corner decides which of the two it can be
    if pixels[0, 0] == 0:
        if polarity != "invert" and _is_framed(pixels):
            return Prepared(pixels, ("already framed",))
        return None
    negative: Pixels = ~pixels
    if polarity != "as-is" and _is_framed(negative):
        return Prepared(negative, ("inverted", "already framed"))
    return None


def _is_framed(pixels: Pixels) -> bool:
    """Whether the pixels of a square grey image have MNIST's framing."""
    side = len(pixels)
    total, row, column = (_moments(side) @ pixels.ravel().astype(np.float32)).tolist()
    middle, most = side / 2 * total, _OFF_CENTRE * side * total
    if not total or abs(row - middle) > most or abs(column - middle) > most:
        return False
    left, top, right, bottom = Image.fromarray(pixels).getbbox() or (0, 0, side, side)
    return max(right - left, bottom - top) <= round(_BOX * side)


@functools.lru_cache(maxsize=4)
def _moments(side: int) -> NDArray[np.float32]:
    """Return the weights of the zeroth and both first moments of an image: (3, pixels).

    The array is cached and shared: it must not be changed.
    """
    index = np.arange(side, dtype=np.float32)
    rows, columns = np.broadcast_arrays(index[:, None], index)
    return np.stack([np.ones(side * side, np.float32), rows.ravel(), columns.ravel()])


def _center_of_mass(pixels: Pixels) -> tuple[float, float]:
    """Return row and column of the centre of mass."""
    rows, columns = pixels.sum(axis=1, dtype=np.float64), pixels.sum(axis=0, dtype=np.float64)
    row, column = (sums @ np.arange(len(sums)) / sums.sum() for sums in (rows, columns))
    return float(row), float(column)


def _bounding_box(strokes: Image.Image) -> tuple[int, int, int, int]:
    box = strokes.getbbox()  # a fifth of the time that numpy takes
    if box is None:
        raise InputError(BLANK)
    return box


def _normalize_width(strokes: Image.Image) -> tuple[Pixels, float, float]:
    """Thicken strokes that would vanish at 28x28 and thin those that would merge.

    Returns:
        The strokes, enlarged or reduced to 4 times 20 pixels, and their width before and
        after, in pixels of the 28x28 result.
    """
    side = round(_BOX * _SIDE) * _FINE
    strokes = strokes.crop(_bounding_box(strokes))
    width, height = strokes.size
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # For shrinking, half as many samples give the same image and the same predictions.
    filter_ = Image.Resampling.HAMMING if scale < 1 else Image.Resampling.BICUBIC
    large = np.asarray(strokes.resize(size, filter_))
    sharp = np.zeros((size[1] + 2 * _MARGIN, size[0] + 2 * _MARGIN), np.uint8)
    sharp[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = _SHARPENED.take(large)
    before = _stroke_width(sharp > 127) / _FINE
    low, high = _STROKE
    steps = round((min(max(before, low), high) - before) * _FINE / 2)
    operation = np.maximum if steps > 0 else np.minimum
    for step in range(abs(steps)):
        sharp = _morph(sharp, operation, square=step % 2 == 0)
    return sharp, before, before + 2 * steps / _FINE


def _stroke_width(mask: NDArray[np.bool_]) -> float:
    """Return twice the area over the perimeter; pi/4 corrects a perimeter in pixel sides."""
    sides = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    return 2 * np.count_nonzero(mask) / max(1.0, sides * np.pi / 4)


def _morph(pixels: Pixels, operation: np.ufunc, *, square: bool) -> Pixels:
    """Dilate (maximum) or erode (minimum) by a 3x3 square or cross; in turns, an octagon."""
    result = pixels.copy()
    operation(result[1:], pixels[:-1], out=result[1:])
    operation(result[:-1], pixels[1:], out=result[:-1])
    source = result.copy() if square else pixels
    operation(result[:, 1:], source[:, :-1], out=result[:, 1:])
    operation(result[:, :-1], source[:, 1:], out=result[:, :-1])
    return result


def _paste_centred(small: Pixels, height: int, width: int) -> Pixels:
    """Paste an image into a black field with its centre of mass in the middle."""
    if not small.any():
        raise InputError(BLANK)  # too faint to survive the averaging
    y, x = _center_of_mass(small)
    top = min(max(round(height / 2 - y), 0), height - len(small))
    left = min(max(round(width / 2 - x), 0), width - small.shape[1])
    field = np.zeros((height, width), np.uint8)
    field[top : top + len(small), left : left + small.shape[1]] = small
    return field
