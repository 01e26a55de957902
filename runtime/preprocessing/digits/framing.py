"""The framing of MNIST: from a photo of a digit to centred light ink on black."""

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

# LeCun, Cortes, Burges, "The MNIST database": the ink is fitted into 20x20, aspect ratio kept,
# and its centre of mass is put in the middle of the 28x28 field.
_SIDE = 28
_BOX = 20 / _SIDE
_OFF_CENTRE = 1.5 / _SIDE  # MNIST's own centres of mass lie within 0.52 pixels of (14, 14)
_FINE = 4  # strokes are measured and mended at 4 times the size of the result
_STROKE = (1.4, 3.2)  # pixels of 28: the 1st and the 85th percentile of MNIST
_MARGIN = 3 * _FINE  # room for strokes to grow
_CRISP = 1.5  # gain at the edges of the enlarged ink: MNIST is black and white, made smaller
_CRISPER = np.clip((np.arange(256) - 127.5) * _CRISP + 127.5, 0, 255).astype(np.uint8)


def already_framed(image: Image.Image) -> bool:
    """Whether an image has the framing of MNIST, so that nothing needs to be done.

    Args:
        image: any mode and size.

    Returns:
        True for mode ``L``, 28x28, light ink on exact 0, inside a box of 20x20 whose
        centre of mass lies within 1.5 pixels of (14, 14). True for all of MNIST.
    """
    return image.mode == "L" and image.size == (_SIDE, _SIDE) and _is_framed(np.asarray(image))


def isolate(image: Image.Image, polarity: str) -> Prepared:
    """Separate ink from paper and bring the strokes to the width of MNIST's.

    An image in MNIST's framing comes back as it is (or inverted, if it is its negative).

    Args:
        image: mode ``L`` or ``RGB``, any size: light or dark ink of any colour.
        polarity: ``as-is`` (the ink is lighter than the paper), ``invert`` (darker) or
            ``auto`` (found out).

    Returns:
        uint8 (rows, columns), light ink on 0, cropped to the ink with some margin.

    Raises:
        InputError: the image is blank.
    """
    return _untouched(image, polarity) or _isolate(image, polarity)


def frame_digit(image: Image.Image, polarity: str, height: int, width: int) -> Prepared:
    """Do :func:`isolate` and then :func:`center_ink`: from a photo to a model's input.

    Args:
        image: mode ``L`` or ``RGB``, any size: light or dark ink of any colour.
        polarity: see :func:`isolate`.
        height: rows of the result.
        width: columns of the result.

    Returns:
        uint8 (height, width), light ink on 0.

    Raises:
        InputError: the image is blank.
    """
    framed = _untouched(image, polarity)
    if framed is not None and (height, width) == (_SIDE, _SIDE):
        return framed
    ink = framed or _isolate(image, polarity)
    centered = center_ink(Image.fromarray(ink.pixels), height, width)
    return Prepared(centered.pixels, ink.steps + centered.steps)


def _isolate(image: Image.Image, polarity: str) -> Prepared:
    from runtime.preprocessing.digits.segmentation import (
        find_ink,  # most images of one's own dataset need none of it
    )

    ink = find_ink(image, polarity)
    width, height = size_in_file(image)
    steps = [f"{width}x{height}: found {'dark' if ink.dark else 'light'} ink"]
    if ink.parts_dropped:
        steps.append(f"left out {ink.parts_dropped} specks or strokes at the border")
    cover = Image.fromarray(np.round(ink.cover * 255).astype(np.uint8))
    pixels, before, after = _mend_strokes(cover)
    if before != after:
        steps.append(f"strokes brought from {before:.1f} to {after:.1f} pixels of 28")
    return Prepared(pixels, tuple(steps))


def center_ink(image: Image.Image, height: int, width: int) -> Prepared:
    """Crop to the ink, fit it into 20/28 of the side, centre it by mass.

    Args:
        image: mode ``L``, light ink on black (0).
        height: rows of the result.
        width: columns of the result.

    Returns:
        uint8 (height, width) with the steps taken; an image that has this size and
        framing comes back as it is.

    Raises:
        InputError: the image is black.
    """
    if (height, width) == (_SIDE, _SIDE) and already_framed(image):
        return Prepared(np.array(image), ())
    crop = image.crop(_box(image))
    scale = min(height * _BOX / crop.height, width * _BOX / crop.width)
    size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
    # Areas are averaged when shrinking, as in MNIST; enlarging needs a smooth curve.
    kind = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    field = _place(np.asarray(crop.resize(size, kind)), height, width)
    steps = (
        f"cropped to {crop.width}x{crop.height}",
        f"scaled to {size[0]}x{size[1]}",
        "centred by mass",
    )
    return Prepared(field, steps)


def _untouched(image: Image.Image, polarity: str) -> Prepared | None:
    """Return the pixels of an image that has MNIST's framing already, or its negative."""
    if image.size != (_SIDE, _SIDE):
        return None
    pixels: Pixels = np.array(image)
    if pixels.ndim == 3:
        if (pixels != pixels[..., :1]).any():
            return None
        pixels = pixels[..., 0].copy()
    # ink reaches no corner of MNIST: the corner tells which of the two it can be
    if pixels[0, 0] == 0:
        if polarity != "invert" and _is_framed(pixels):
            return Prepared(pixels, ("already framed",))
        return None
    negative: Pixels = ~pixels
    if polarity != "as-is" and _is_framed(negative):
        return Prepared(negative, ("inverted", "already framed"))
    return None


def _is_framed(pixels: Pixels) -> bool:
    """Tell it of a square image."""
    side = len(pixels)
    total, row, column = (_moments(side) @ pixels.ravel().astype(np.float32)).tolist()
    middle, most = side / 2 * total, _OFF_CENTRE * side * total
    if not total or abs(row - middle) > most or abs(column - middle) > most:
        return False
    left, top, right, bottom = Image.fromarray(pixels).getbbox() or (0, 0, side, side)
    return max(right - left, bottom - top) <= round(_BOX * side)


@functools.lru_cache(maxsize=4)
def _moments(side: int) -> NDArray[np.float32]:
    """Return what sums a plane, its rows times their place, and its columns: (3, pixels).

    The array is kept and shared: it must not be changed.
    """
    place = np.arange(side, dtype=np.float32)
    rows, columns = np.broadcast_arrays(place[:, None], place)
    return np.stack([np.ones(side * side, np.float32), rows.ravel(), columns.ravel()])


def _centre(pixels: Pixels) -> tuple[float, float]:
    """Row and column of the centre of mass."""
    rows, columns = pixels.sum(axis=1, dtype=np.float64), pixels.sum(axis=0, dtype=np.float64)
    row, column = (line @ np.arange(len(line)) / line.sum() for line in (rows, columns))
    return float(row), float(column)


def _box(ink: Image.Image) -> tuple[int, int, int, int]:
    box = ink.getbbox()  # a fifth of the time that numpy takes
    if box is None:
        raise InputError(BLANK)
    return box


def _mend_strokes(ink: Image.Image) -> tuple[Pixels, float, float]:
    """Thicken strokes that would vanish at 28x28 and thin those that would run together.

    Returns:
        The ink, enlarged or reduced to 4 times 20 pixels, and the width of its strokes
        before and after, in pixels of the 28x28 result.
    """
    side = round(_BOX * _SIDE) * _FINE
    ink = ink.crop(_box(ink))
    width, height = ink.size
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # Made smaller it looks the same by half as many samples, and reads the same.
    kind = Image.Resampling.HAMMING if scale < 1 else Image.Resampling.BICUBIC
    large = np.asarray(ink.resize(size, kind))
    crisp = np.zeros((size[1] + 2 * _MARGIN, size[0] + 2 * _MARGIN), np.uint8)
    crisp[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = _CRISPER.take(large)
    before = _stroke_width(crisp > 127) / _FINE
    low, high = _STROKE
    steps = round((min(max(before, low), high) - before) * _FINE / 2)
    pick = np.maximum if steps > 0 else np.minimum
    for step in range(abs(steps)):
        crisp = _spread(crisp, pick, square=step % 2 == 0)
    return crisp, before, before + 2 * steps / _FINE


def _stroke_width(mask: NDArray[np.bool_]) -> float:
    """Twice the area by the outline; pi/4 corrects an outline counted in pixel sides."""
    sides = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    return 2 * np.count_nonzero(mask) / max(1.0, sides * np.pi / 4)


def _spread(pixels: Pixels, pick: np.ufunc, *, square: bool) -> Pixels:
    """Maximum or minimum over a 3x3 square or cross; in turns they make an octagon."""
    result = pixels.copy()
    pick(result[1:], pixels[:-1], out=result[1:])
    pick(result[:-1], pixels[1:], out=result[:-1])
    source = result.copy() if square else pixels
    pick(result[:, 1:], source[:, :-1], out=result[:, 1:])
    pick(result[:, :-1], source[:, 1:], out=result[:, :-1])
    return result


def _place(small: Pixels, height: int, width: int) -> Pixels:
    """Put an image into a black field with its centre of mass in the middle."""
    if not small.any():
        raise InputError(BLANK)  # too faint to survive the averaging
    y, x = _centre(small)
    top = min(max(round(height / 2 - y), 0), height - len(small))
    left = min(max(round(width / 2 - x), 0), width - small.shape[1])
    field = np.zeros((height, width), np.uint8)
    field[top : top + len(small), left : left + small.shape[1]] = small
    return field
