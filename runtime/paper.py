"""Tells the ink from the paper in a photo: any colours, uneven light, clutter at the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from runtime.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = NDArray[np.intp]
    Mask = NDArray[np.bool_]
    Plane = NDArray[np.float32]

# Measured on MNIST test digits redrawn as photos (pens, papers, lights, dirt) and on real photos.
_WORK = 160  # longest side looked at, in pixels: a digit in a large margin keeps 20 of them
_SAMPLES = 3  # a large image gives 3x3 samples to a pixel: all of them would take 1 ms
_GRID = 32  # the light is fitted on 32x32 samples: it changes slowly
_ROUNDS = 4  # refits of the light; the mask of outliers hardly changes after that
_OUTLIER = 3.0  # times the median distance from the fit: not paper
_WINDOW = 0.33  # of the longest side: wider than a marker's stroke, narrower than most shadows
_BLOCK = 4  # the local paper level is searched in blocks of 4x4 pixels
_SMOOTH_FROM = 40  # pixels: smaller images have strokes too thin to be smoothed
_HUG = 4.0  # (pixels on the border)^2 / area: a table edge has 8 or more, a stroke less than 3
_SPECK = 0.06  # of the main ink: less is dirt; the bar of a 5 has 0.15
_AT_BORDER = 0.25  # weight of ink that touches the border in the choice of the main ink
_CUTS = 8  # rounds of the threshold; it moves by less than a level after 5
_LEAST = 6.0  # per cent of the paper's brightness: fainter than any pencil
_LEAST_NOISE = 5.0  # times the noise of the paper
BLANK = "no ink found: the image is blank"

# Light multiplies and ink absorbs: in logarithms both add, so a shadow changes no contrast. The
# offset keeps the noise of a black board small. 100 log(v + 32): one unit is about one per cent.
_DENSITY = (100.0 * np.log(np.arange(256) + 32.0)).astype(np.float32)
_DEGREES = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)  # total degree 2 at most


class Ink(NamedTuple):
    """What was found on the paper.

    Attributes:
        cover: float32 (rows, columns), 0 (paper) … 1 (ink), at working size.
        dark: whether the ink is darker than the paper.
        parts_dropped: separate pieces that were left out as dirt or clutter.
    """

    cover: Plane
    dark: bool
    parts_dropped: int


def find_ink(image: Image.Image, polarity: str) -> Ink:
    """Find the one piece of handwriting in a photo.

    The light is fitted as a quadratic surface, the colour of the ink is the direction in
    which most pixels leave the paper's colour, hard shadows go with a morphological
    opening, and of the pieces that remain the heaviest inside the image is the digit.

    Args:
        image: mode ``L`` or ``RGB``, any size.
        polarity: ``as-is`` (the ink is lighter), ``invert`` (darker) or ``auto``.

    Returns:
        The cover of the ink at working size (at most 160 pixels a side).

    Raises:
        InputError: nothing stands out from the paper.
    """
    contrast, dark = _contrast(_load(image), polarity)
    if min(contrast.shape) >= _SMOOTH_FROM:
        contrast = _smooth(contrast)
    contrast = _flatten(contrast)
    keep, dropped = _main_ink(contrast)
    if keep.all():
        raise InputError(BLANK)
    paper = contrast[~keep]
    zero = float(np.median(paper))
    noise = float(np.median(np.abs(paper - zero)))
    contrast -= zero
    level = float(contrast[keep].mean())
    if level < max(_LEAST, _LEAST_NOISE * noise):
        raise InputError(BLANK)
    # A quarter of the ink's contrast is paper, three quarters are ink: soft edges between.
    cover = np.clip(contrast * (2.0 / level) - 0.5, 0.0, 1.0)
    cover[~_spread(keep, 5)] = 0.0
    return Ink(cover.astype(np.float32), dark, dropped)


def _load(image: Image.Image) -> Plane:
    """Return log brightness, (channels, rows, columns), reduced to working size."""
    factor = -(-max(image.size) // _WORK)
    if factor > _SAMPLES:
        width, height = (max(1, side * _SAMPLES // factor) for side in image.size)
        image = image.resize((width, height), Image.Resampling.NEAREST)
        factor = _SAMPLES
    if factor > 1:
        image = image.reduce(factor)
    values = _DENSITY[np.asarray(image)]
    return values[None] if values.ndim == 2 else np.ascontiguousarray(values.transpose(2, 0, 1))


def _contrast(values: Plane, polarity: str) -> tuple[Plane, bool]:
    """Project the colours on the way from paper to ink; say whether that way is darker."""
    away = values - _light(values)
    weight = (away * away).sum(axis=0)
    if polarity != "auto":
        brighter = away.sum(axis=0)
        weight *= brighter < 0 if polarity == "invert" else brighter > 0
    flat = away.reshape(len(away), -1)
    # The third moment: the few pixels far from the paper decide on axis and sign together.
    direction = flat @ weight.ravel()
    length = float(np.linalg.norm(direction))
    if length < 1e-3:
        raise InputError(BLANK)
    direction /= length
    return (direction @ flat).reshape(weight.shape), float(direction.sum()) < 0


def _light(values: Plane) -> Plane:
    """Fit a quadratic surface to the paper of each channel; ink is replaced by the fit."""
    _, height, width = values.shape
    rows, columns = np.arange(_GRID) * height // _GRID, np.arange(_GRID) * width // _GRID
    sample = values[:, rows[:, None], columns]
    middle = np.median(sample, axis=(1, 2), keepdims=True)
    sample = sample - middle
    grid = _polynomials(_GRID)
    fit = np.zeros_like(sample)
    for _ in range(_ROUNDS):
        off = np.abs(sample - fit).sum(axis=0)
        paper = off <= _OUTLIER * np.median(off) + 1.0
        factors = grid.T @ np.where(paper, sample, fit) @ grid * (_DEGREES / _GRID**2)
        fit = grid @ factors @ grid.T
    surface: Plane = middle + _polynomials(height) @ factors @ _polynomials(width).T
    return surface


def _polynomials(count: int) -> Plane:
    """Legendre polynomials of degree 0, 1, 2 at pixel centres: (count, 3), mean square 1."""
    x = (2.0 * np.arange(count, dtype=np.float32) + 1.0) / count - 1.0
    degrees = [np.ones_like(x), 3**0.5 * x, 5**0.5 * (1.5 * x * x - 0.5)]
    return np.stack(degrees, axis=1)


def _padded(plane: NDArray[Any], before: int, after: int) -> NDArray[Any]:
    """Repeat the first and the last row; ten times as fast as numpy.pad on small planes."""
    rows: NDArray[Any] = plane[np.arange(-before, len(plane) + after).clip(0, len(plane) - 1)]
    return rows


def _smooth(plane: Plane) -> Plane:
    """Average with weights 1-2-1 along both axes."""
    for _ in range(2):
        rows = _padded(plane, 1, 1)
        plane = ((rows[:-2] + rows[2:]) * np.float32(0.25) + rows[1:-1] * np.float32(0.5)).T
    return plane


def _flatten(contrast: Plane) -> Plane:
    """Subtract the local paper level: a morphological opening, wider than any stroke."""
    height, width = contrast.shape
    block = min(_BLOCK, 1 + max(height, width) // _SMOOTH_FROM)
    padded = _padded(_padded(contrast, 0, -height % block).T, 0, -width % block).T
    rows, columns = padded.shape[0] // block, padded.shape[1] // block
    low = padded.reshape(rows, block, columns, block).min(axis=(1, 3))
    window = int(_WINDOW * max(height, width) / block) | 1
    low = _running(_running(low, window, np.minimum), window, np.maximum)
    size = (columns * block, rows * block)
    level = np.asarray(Image.fromarray(low).resize(size, Image.Resampling.BILINEAR))
    flat: Plane = contrast - level[:height, :width]
    return flat


def _running(plane: NDArray[Any], window: int, pick: np.ufunc) -> NDArray[Any]:
    """Minimum or maximum over a square window of odd side, by doubling: log2(window) steps."""
    for _ in range(2):
        half, count, reach = window // 2, len(plane), 1
        plane = _padded(plane, half, half)
        while 2 * reach <= window:
            plane = pick(plane[:-reach], plane[reach:])
            reach *= 2
        rest = window - reach
        plane = pick(plane[:count], plane[rest : rest + count]).T
    return plane


def _spread(mask: Mask, window: int) -> Mask:
    return _running(mask, window, np.logical_or)


def _main_ink(contrast: Plane) -> tuple[Mask, int]:
    """Choose the pieces that make up the digit; count the others."""
    labels = label(contrast > _threshold(contrast))
    edges = _hugging(labels)
    if edges.any() and not edges[1:].all():
        # The edge of a table outweighs any pencil: look again without it.
        contrast = np.where(_spread(edges[labels], 5), np.float32(0), contrast)
        labels = label(contrast > _threshold(contrast))
    mass = np.bincount(labels.ravel(), contrast.ravel())
    if len(mass) < 2:
        raise InputError(BLANK)
    mass[0] = 0.0
    border = np.bincount(_border(labels), minlength=len(mass)) > 0
    main = int((mass * np.where(border, _AT_BORDER, 1.0)).argmax())
    keep = mass >= _SPECK * mass[main]
    if not border[main]:
        keep &= ~border
    keep[0] = False
    keep[main] = True
    return keep[labels], len(mass) - 1 - int(keep.sum())


def _hugging(labels: Labels) -> Mask:
    """Which pieces lie along the border instead of crossing it; index 0 is paper."""
    area = np.bincount(labels.ravel())
    touch = np.bincount(_border(labels), minlength=len(area))
    hugging: Mask = touch * touch > _HUG * area
    hugging[0] = False
    return hugging


def _border(plane: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])


def _threshold(contrast: Plane) -> float:
    """Ridler and Calvard (1978): halfway between the means of both sides.

    Started at half the maximum, so that little ink on much paper is found, too.
    """
    top = float(contrast.max())
    if not top > 0:
        raise InputError(BLANK)
    counts = np.bincount((contrast.clip(0) * (255 / top)).astype(np.intp).ravel(), minlength=256)
    below, mass = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    cut = 127
    for _ in range(_CUTS):
        ink, paper = below[-1] - below[cut], below[cut]
        mean = (mass[-1] - mass[cut]) / ink + mass[cut] / max(1, paper)
        cut = int(mean / 2)
    return (cut + 1) * top / 255


def label(mask: Mask) -> Labels:
    """Number the 8-connected pieces of a mask from 1; 0 is outside.

    Works on the runs of each row: a run overlaps a contiguous range of the runs of the
    next row, and the smallest number spreads along these links until nothing changes.
    """
    height, width = mask.shape
    stride = width + 2
    field = np.zeros((height + 2, stride), np.int8)
    field[1:-1, 1:-1] = mask
    ends = np.flatnonzero(np.diff(field.ravel())) + 1
    start, stop = ends[::2], ends[1::2]
    first = np.searchsorted(stop, start + stride, "left")
    count = np.searchsorted(start, stop + stride, "right") - first
    upper = np.repeat(np.arange(len(start)), count)
    lower = np.arange(len(upper)) + np.repeat(first - np.cumsum(count) + count, count)
    number = _unite(len(start), upper, lower) + 1
    steps = np.zeros(field.size, np.intp)
    steps[start] = number
    steps[stop] = -number
    labels: Labels = np.cumsum(steps).reshape(field.shape)[1:-1, 1:-1]
    return labels


def _unite(count: int, upper: Labels, lower: Labels) -> Labels:
    """Give linked things the same number, 0, 1, 2 … without gaps."""
    number = np.arange(count)
    while True:
        least = np.minimum(number[upper], number[lower])
        after = number.copy()
        np.minimum.at(after, number[upper], least)
        np.minimum.at(after, number[lower], least)
        after = after[after]
        if np.array_equal(after, number):
            gapless: Labels = np.unique(number, return_inverse=True)[1]
            return gapless
        number = after
