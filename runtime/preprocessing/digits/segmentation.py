"""Tells the ink from the paper in a photo: any colours, uneven light, clutter at the edge."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from runtime.errors import InputError
from runtime.preprocessing.decode import BLANK, size_in_file
from runtime.preprocessing.digits.components import Pieces, pieces
from runtime.preprocessing.digits.filters import block_minimum, median, running, smooth, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Plane = NDArray[np.float32]

# Measured on MNIST test digits redrawn as photos (pens, papers, lights, dirt) and on real photos.
_WORK = 160  # longest side looked at, in pixels: a digit in a large margin keeps 20 of them
_SAMPLES = 3  # a large image gives 3x3 samples to a pixel: all of them would take 1 ms
_GRID = 16  # the light is fitted on 16x16 samples: it changes slowly
_ROUNDS = 2  # refits of the light; a third one read no photo better
_OUTLIER = 3.0  # times the median distance from the fit: not paper
_WINDOW = 0.33  # of the longest side: wider than a marker's stroke, narrower than most shadows
_BLOCK = 4  # the local paper level is searched in blocks of 4x4 pixels
_ENOUGH = 80  # pixels a side show the colour of the ink
_SMOOTH_FROM = 40  # pixels: smaller images have strokes too thin to be smoothed
_SMOOTH_BELOW = 2 * _WORK  # pixels of the longest side: more are averaged, which is enough
_HUG = 4.0  # (pixels on the border)^2 / area: a table edge has 8 or more, a stroke less than 3
_SPECK = 0.06  # of the main ink: less is dirt; the bar of a 5 has 0.15
_AT_BORDER = 0.25  # weight of ink that touches the border in the choice of the main ink
_EDGE = 5  # pixels: the soft edge of ink reaches half as far, less the middle
_CUTS = 8  # rounds of the threshold; it moves by less than a level after 5
_PAPER_SAMPLES = 1024  # are enough to know the level and the noise of the paper
_LEAST = 6.0  # per cent of the paper's brightness: fainter than any pencil
_LEAST_NOISE = 5.0  # times the noise of the paper
# Levels by which the colours in a photo may differ (the ranges of Cb and Cr in sum) for it to be
# looked at in grey. Black ink on cream paper makes 12; what differs from the paper by less, and in
# its colour only, is a very pale yellow.
_COLOURLESS = 16

# Light multiplies and ink absorbs: in logarithms both add, so a shadow changes no contrast. The
# offset keeps the noise of a black board small. 100 log(v + 32): one unit is about one per cent.
_DENSITY = (100.0 * np.log(np.arange(256) + 32.0)).astype(np.float32)
_LEVELS = np.arange(256)
_TERMS = ([0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 0])  # degrees of rows and columns: 2 in sum at most


class Ink(NamedTuple):
    """What was found on the paper.

    Attributes:
        cover: float32 (rows, columns), 0 (paper) … 1 (ink), at working size; the part of the
            image that holds ink.
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
    A photo that has hardly any colours is looked at in grey.

    Args:
        image: mode ``L`` or ``RGB``, any size.
        polarity: ``as-is`` (the ink is lighter), ``invert`` (darker) or ``auto``.

    Returns:
        The ink at working size (at most 160 pixels a side for the whole image).

    Raises:
        InputError: nothing stands out from the paper.
    """
    contrast, dark = _contrast(image, polarity)
    if min(contrast.shape) >= _SMOOTH_FROM and max(size_in_file(image)) < _SMOOTH_BELOW:
        contrast = smooth(contrast)
    contrast = _flatten(contrast)
    keep, dropped = _main_ink(contrast)
    if keep.all():
        raise InputError(BLANK)
    paper = _paper(contrast, keep)
    zero = float(median(paper))
    noise = float(median(np.abs(paper - zero)))
    # a third of the time of contrast[keep].mean()
    level = float(np.einsum("ij,ij->", contrast, keep)) / np.count_nonzero(keep) - zero
    if level < max(_LEAST, _LEAST_NOISE * noise):
        raise InputError(BLANK)
    around = _around(keep)
    # A quarter of the ink's contrast is paper, three quarters are ink: soft edges between.
    cover: Plane = contrast[around] * np.float32(2.0 / level)
    cover -= np.float32(0.5 + 2.0 * zero / level)
    np.minimum(np.maximum(cover, 0.0, out=cover), 1.0, out=cover)
    cover *= spread(keep[around], _EDGE)
    return Ink(cover, dark, dropped)


def _paper(contrast: Plane, keep: Mask) -> Plane:
    """Return values from all over the paper; a few are enough."""
    step = 1 + keep.size // _PAPER_SAMPLES
    while math.gcd(step, keep.shape[1]) > 1:  # else whole columns would never be looked at
        step += 1
    paper = contrast.ravel()[::step][~keep.ravel()[::step]]
    return paper if paper.size else contrast[~keep]


def _around(keep: Mask) -> tuple[slice, slice]:
    """Return the rows and columns that hold the ink and its soft edge."""
    left, top, right, bottom = Image.fromarray(keep.view(np.uint8)).getbbox() or (0, 0, 0, 0)
    reach = _EDGE // 2
    rows = slice(max(0, top - reach), bottom + reach)
    return rows, slice(max(0, left - reach), right + reach)


def _reduced(image: Image.Image) -> Image.Image:
    """Average an image that is larger than working size down to it."""
    longest = max(image.size)
    samples = min(-(-longest // _WORK), _SAMPLES)
    if samples <= 1:
        return image
    wanted = samples * _WORK
    if longest != wanted:
        width, height = (max(1, side * wanted // longest) for side in image.size)
        image = image.resize((width, height), Image.Resampling.NEAREST)
    return image.reduce(samples)


def _without_colours(image: Image.Image) -> Image.Image:
    """Return a picture in grey if nothing in it stands out by its colour: a third of the work."""
    if image.mode == "RGB":
        grey, *colours = image.convert("YCbCr").split()
        if sum(int(np.ptp(np.asarray(plane))) for plane in colours) <= _COLOURLESS:
            return grey
    return image


def _contrast(image: Image.Image, polarity: str) -> tuple[Plane, bool]:
    """Project the colours on the way from paper to ink; say whether that way is darker."""
    pixels = np.asarray(_without_colours(_reduced(image)))
    planes = pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
    away: Plane = _DENSITY.take(planes, mode="clip")  # the quick mode
    away -= _light(away)
    step = max(1, min(away.shape[1:]) // _ENOUGH)  # a part shows the colour as well
    direction = _way(away[:, ::step, ::step], polarity)
    contrast: Plane = np.einsum("c,cij->ij", direction, away)
    return contrast, float(direction.sum()) < 0


def _way(away: Plane, polarity: str) -> NDArray[np.float32]:
    """Return the unit vector from paper to ink, (channels,), of colours less the paper's."""
    weight: Plane = np.einsum("cij,cij->ij", away, away)
    if polarity != "auto":
        brighter = away.sum(axis=0)
        weight *= brighter < 0 if polarity == "invert" else brighter > 0
    # The third moment: the few pixels far from the paper decide on axis and sign together.
    direction: NDArray[np.float32] = np.einsum("cij,ij->c", away, weight)
    length = math.sqrt(float(direction @ direction))
    if length < 1e-3:
        raise InputError(BLANK)
    return direction / np.float32(length)


def _light(values: Plane) -> Plane:
    """Fit a quadratic surface to the paper of each channel; ink is replaced by the fit."""
    _, height, width = values.shape
    rows, columns = np.arange(_GRID) * height // _GRID, np.arange(_GRID) * width // _GRID
    sample = values[:, rows[:, None], columns]
    sample = sample.reshape(len(sample), -1)
    middle = median(sample)
    sample -= middle[:, None]
    grid = _grid_terms()
    fit = np.zeros_like(sample)
    for _ in range(_ROUNDS):
        off = np.abs(sample - fit)
        off = off[0] if len(off) == 1 else off.sum(axis=0)
        paper = off <= _OUTLIER * median(off) + 1.0
        terms = np.where(paper, sample, fit) @ grid.T / np.float32(_GRID**2)
        fit = terms @ grid
    factors = np.zeros((len(sample), 3, 3), np.float32)
    factors[:, *_TERMS] = terms
    factors[:, 0, 0] += middle
    surface: Plane = (_polynomials(height) @ factors) @ _polynomials(width).T
    return surface


@functools.lru_cache(maxsize=1)
def _grid_terms() -> Plane:
    """Products of polynomials up to total degree 2 on the grid: (6, samples).

    The array is kept and shared: it must not be changed.
    """
    grid = _polynomials(_GRID)
    rows, columns = (grid[:, term] for term in _TERMS)
    terms: Plane = np.einsum("it,jt->tij", rows, columns).reshape(-1, _GRID**2)
    return terms


@functools.lru_cache(maxsize=64)
def _polynomials(count: int) -> Plane:
    """Legendre polynomials of degree 0, 1, 2 at pixel centres: (count, 3), mean square 1.

    The array is kept and shared: it must not be changed.
    """
    x = (2.0 * np.arange(count, dtype=np.float32) + 1.0) / count - 1.0
    degrees = [np.ones_like(x), 3**0.5 * x, 5**0.5 * (1.5 * x * x - 0.5)]
    return np.stack(degrees, axis=1)


def _flatten(contrast: Plane) -> Plane:
    """Subtract the local paper level: a morphological opening, wider than any stroke."""
    height, width = contrast.shape
    block = min(_BLOCK, 1 + max(height, width) // _SMOOTH_FROM)
    low = block_minimum(contrast, block)
    window = int(_WINDOW * max(height, width) / block) | 1
    low = running(running(low, window, np.minimum), window, np.maximum)
    level = low.repeat(block, 1).repeat(block, 0)  # a smooth one reads photos no better
    flat: Plane = contrast - level[:height, :width]
    return flat


def _main_ink(contrast: Plane) -> tuple[Mask, int]:
    """Choose the pieces that make up the digit; count the others."""
    found = pieces(contrast > _threshold(contrast))
    if found.total == 1:
        return found.mask, 0
    edges = _hugging(found)
    if edges.any() and not edges.all():
        # The edge of a table outweighs any pencil: look again without it.
        contrast = np.where(spread(found.only(edges), 5), np.float32(0), contrast)
        found = pieces(contrast > _threshold(contrast))
    if not found.total:
        raise InputError(BLANK)
    mass, border = found.sums(contrast), found.borders() > 0
    main = int((mass * np.where(border, _AT_BORDER, 1.0)).argmax())
    keep = mass >= _SPECK * mass[main]
    if not border[main]:
        keep &= ~border
    keep[main] = True
    return found.only(keep), found.total - int(keep.sum())


def _hugging(found: Pieces) -> Mask:
    """Which pieces lie along the border instead of crossing it."""
    touch = found.borders()
    hugging: Mask = touch * touch > _HUG * found.areas()
    return hugging


def _threshold(contrast: Plane) -> float:
    """Ridler and Calvard (1978): halfway between the means of both sides.

    Started at half the maximum, so that little ink on much paper is found, too.
    """
    top = float(contrast.max())
    if not top > 0:
        raise InputError(BLANK)
    levels = np.maximum(contrast, 0) * np.float32(255 / top)
    # 4 times as fast as bincount
    counts = np.array(Image.fromarray(levels.astype(np.uint8)).histogram())
    # As lists: a few single values are read, and numpy takes a microsecond for each.
    below, mass = counts.cumsum().tolist(), (counts * _LEVELS).cumsum().tolist()
    cut, before = 127, -1
    for _ in range(_CUTS):
        if cut == before:
            break
        ink, paper, before = below[-1] - below[cut], below[cut], cut
        mean = (mass[-1] - mass[cut]) / ink + mass[cut] / max(1, paper)
        cut = int(mean / 2)
    return (cut + 1) * top / 255
