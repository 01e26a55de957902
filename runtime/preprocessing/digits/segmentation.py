"""Segmentation of handwriting: strokes and background of a photo.

The stages, all on a copy of at most 160 pixels per side:

1. Log intensity: the logarithm of the pixels, in which illumination and strokes add.
2. Illumination: a quadratic surface, fitted robustly to each channel and subtracted.
3. Colour: a projection on the direction from background to strokes gives one channel, the
   contrast.
4. Shadows: a morphological opening estimates the local background, which is subtracted.
5. Threshold (Ridler and Calvard), connected components, and the choice of those that make up
   the digit: dirt and clutter at the border are dropped.
6. Coverage: the contrast of the strokes, scaled to 0…1 with soft edges.

It takes any colours, uneven light and clutter at the edge.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from runtime.errors import InputError
from runtime.preprocessing.decode import BLANK, size_in_file
from runtime.preprocessing.digits.components import Components, connected_components
from runtime.preprocessing.digits.filters import (
    block_minimum,
    dilate,
    median,
    moving_filter,
    smooth,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    FloatImage = NDArray[np.float32]

# Measured on MNIST test digits redrawn as photos (pens, papers, lights, dirt) and on real photos.
_WORK = 160  # longest side of the working copy, in pixels: a digit in a large margin keeps 20
_SAMPLES = 3  # a large image gives 3x3 samples per pixel: all of them would take 1 ms
_GRID = 16  # the illumination is fitted to 16x16 samples: it changes slowly
_ROUNDS = 2  # refits of the illumination; a third one improved no prediction
_OUTLIER = 3.0  # times the median distance from the fit: not background
_WINDOW = 0.33  # of the longest side: wider than a marker's stroke, narrower than most shadows
_BLOCK = 4  # the local background is estimated from blocks of 4x4 pixels
_ENOUGH = 80  # pixels per side show the colour of the strokes
_SMOOTH_FROM = 40  # pixels: smaller images have strokes too thin to be smoothed
_SMOOTH_BELOW = 2 * _WORK  # pixels of the longest side: larger images are averaged, which is enough
_HUG = 4.0  # (pixels on the border)^2 / area: a table edge has 8 or more, a stroke less than 3
_SPECK = 0.06  # of the main component: less is dirt; the bar of a 5 has 0.15
_AT_BORDER = 0.25  # weight of components at the border in the choice of the main one
_EDGE = 5  # pixels: the soft edge of a stroke reaches half as far, less the middle
_CUTS = 8  # iterations of the threshold; it moves by less than a level after 5
_BACKGROUND_SAMPLES = 1024  # are enough to know the level and the noise of the background
_LEAST = 6.0  # per cent of the background's brightness: fainter than any pencil
_LEAST_NOISE = 5.0  # times the noise of the background
# Levels by which the colours of a photo may differ (the ranges of Cb and Cr in sum) for it to be
# processed in grey. Black strokes on cream paper make 12; what differs from the background by
# less, and in its colour only, is a very pale yellow.
_COLOURLESS = 16

# Illumination multiplies and strokes absorb: in logarithms both add, so that a shadow changes no
# contrast. The offset keeps the noise of a black board small. 100 log(v + 32): one unit is about
# one per cent.
_LOG_INTENSITY = (100.0 * np.log(np.arange(256) + 32.0)).astype(np.float32)
_LEVELS = np.arange(256)
_TERMS = ([0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 0])  # degrees of rows and columns: 2 in sum at most


class Strokes(NamedTuple):
    """The foreground of a photo.

    Attributes:
        coverage: float32 (rows, columns), 0 (background) … 1 (stroke), at working size; the
            part of the image that holds strokes.
        dark: whether the strokes are darker than the background.
        dropped: number of connected components that were left out as dirt or clutter.
    """

    coverage: FloatImage
    dark: bool
    dropped: int


def find_strokes(image: Image.Image, polarity: str) -> Strokes:
    """Segment the handwriting in a photo.

    The connected component with the largest sum of contrast inside the image is the digit;
    other components belong to it unless they are small or touch the border. A photo that has
    hardly any colours is processed in grey.

    Args:
        image: mode ``L`` or ``RGB``, any size.
        polarity: ``as-is`` (the strokes are lighter), ``invert`` (darker) or ``auto``.

    Returns:
        The strokes at working size (at most 160 pixels per side for the whole image).

    Raises:
        InputError: no strokes stand out from the background.

    Example:
        >>> from PIL import Image, ImageDraw
        >>> photo = Image.new("L", (100, 100), 230)
        >>> ImageDraw.Draw(photo).line([(50, 20), (50, 80)], fill=40, width=8)
        >>> strokes = find_strokes(photo, "auto")
        >>> strokes.dark, strokes.dropped, float(strokes.coverage.max())
        (True, 0, 1.0)
    """
    contrast, dark = _contrast(image, polarity)
    if min(contrast.shape) >= _SMOOTH_FROM and max(size_in_file(image)) < _SMOOTH_BELOW:
        contrast = smooth(contrast)
    contrast = _flatten(contrast)
    keep, dropped = _foreground(contrast)
    if keep.all():
        raise InputError(BLANK)
    background = _background(contrast, keep)
    zero = float(median(background))
    noise = float(median(np.abs(background - zero)))
    # a third of the time of contrast[keep].mean()
    level = float(np.einsum("ij,ij->", contrast, keep)) / np.count_nonzero(keep) - zero
    if level < max(_LEAST, _LEAST_NOISE * noise):
        raise InputError(BLANK)
    around = _around(keep)
    # A quarter of the strokes' contrast is background, three quarters are stroke, between them
    # lie soft edges.
    coverage: FloatImage = contrast[around] * np.float32(2.0 / level)
    coverage -= np.float32(0.5 + 2.0 * zero / level)
    np.minimum(np.maximum(coverage, 0.0, out=coverage), 1.0, out=coverage)
    coverage *= dilate(keep[around], _EDGE)
    return Strokes(coverage, dark, dropped)


def _background(contrast: FloatImage, keep: Mask) -> FloatImage:
    """Return values from all over the background; a few are enough."""
    step = 1 + keep.size // _BACKGROUND_SAMPLES
    while math.gcd(step, keep.shape[1]) > 1:  # else whole columns would never be sampled
        step += 1
    background = contrast.ravel()[::step][~keep.ravel()[::step]]
    return background if background.size else contrast[~keep]


def _around(keep: Mask) -> tuple[slice, slice]:
    """Return the rows and columns that hold the strokes and their soft edges."""
    left, top, right, bottom = Image.fromarray(keep.view(np.uint8)).getbbox() or (0, 0, 0, 0)
    reach = _EDGE // 2
    rows = slice(max(0, top - reach), bottom + reach)
    return rows, slice(max(0, left - reach), right + reach)


def _reduced(image: Image.Image) -> Image.Image:
    """Average an image that is larger than the working size down to it."""
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
    """Return an image in grey if nothing in it stands out by its colour: a third of the work."""
    if image.mode == "RGB":
        grey, *colours = image.convert("YCbCr").split()
        if sum(int(np.ptp(np.asarray(channel))) for channel in colours) <= _COLOURLESS:
            return grey
    return image


def _contrast(image: Image.Image, polarity: str) -> tuple[FloatImage, bool]:
    """Project the colours on the direction from background to strokes.

    Returns:
        The contrast (rows, columns), and whether that direction is darker.
    """
    pixels = np.asarray(_without_colours(_reduced(image)))
    channels = pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
    intensity: FloatImage = _LOG_INTENSITY.take(channels, mode="clip")  # the fastest mode
    intensity -= _illumination(intensity)
    step = max(1, min(intensity.shape[1:]) // _ENOUGH)  # a subset shows the colour as well
    direction = _direction(intensity[:, ::step, ::step], polarity)
    contrast: FloatImage = np.einsum("c,cij->ij", direction, intensity)
    return contrast, float(direction.sum()) < 0


def _direction(intensity: FloatImage, polarity: str) -> NDArray[np.float32]:
    """Return the unit vector from background to strokes, (channels,).

    Args:
        intensity: (channels, rows, columns), less the background's.
        polarity: see :func:`find_strokes`.
    """
    weight: FloatImage = np.einsum("cij,cij->ij", intensity, intensity)
    if polarity != "auto":
        brighter = intensity.sum(axis=0)
        weight *= brighter < 0 if polarity == "invert" else brighter > 0
    # The third moment: the few pixels far from the background decide on axis and sign together.
    direction: NDArray[np.float32] = np.einsum("cij,ij->c", intensity, weight)
    length = math.sqrt(float(direction @ direction))
    if length < 1e-3:
        raise InputError(BLANK)
    return direction / np.float32(length)


def _illumination(values: FloatImage) -> FloatImage:
    """Fit a quadratic surface to the background of each channel; outliers take the fit's value."""
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
        inlier = off <= _OUTLIER * median(off) + 1.0
        terms = np.where(inlier, sample, fit) @ grid.T / np.float32(_GRID**2)
        fit = terms @ grid
    factors = np.zeros((len(sample), 3, 3), np.float32)
    factors[:, *_TERMS] = terms
    factors[:, 0, 0] += middle
    surface: FloatImage = (_polynomials(height) @ factors) @ _polynomials(width).T
    return surface


@functools.lru_cache(maxsize=1)
def _grid_terms() -> FloatImage:
    """Return products of polynomials up to total degree 2 on the grid: (6, samples).

    The array is cached and shared: it must not be changed.
    """
    grid = _polynomials(_GRID)
    rows, columns = (grid[:, term] for term in _TERMS)
    terms: FloatImage = np.einsum("it,jt->tij", rows, columns).reshape(-1, _GRID**2)
    return terms


@functools.lru_cache(maxsize=64)
def _polynomials(count: int) -> FloatImage:
    """Return Legendre polynomials of degree 0, 1, 2 at pixel centres: (count, 3), mean square 1.

    The array is cached and shared: it must not be changed.
    """
    x = (2.0 * np.arange(count, dtype=np.float32) + 1.0) / count - 1.0
    degrees = [np.ones_like(x), 3**0.5 * x, 5**0.5 * (1.5 * x * x - 0.5)]
    return np.stack(degrees, axis=1)


def _flatten(contrast: FloatImage) -> FloatImage:
    """Subtract the local background: a morphological opening, wider than any stroke."""
    height, width = contrast.shape
    block = min(_BLOCK, 1 + max(height, width) // _SMOOTH_FROM)
    low = block_minimum(contrast, block)
    window = int(_WINDOW * max(height, width) / block) | 1
    low = moving_filter(moving_filter(low, window, np.minimum), window, np.maximum)
    level = low.repeat(block, 1).repeat(block, 0)  # a smooth one improved no prediction
    flat: FloatImage = contrast - level[:height, :width]
    return flat


def _foreground(contrast: FloatImage) -> tuple[Mask, int]:
    """Select the components that make up the digit.

    Returns:
        Their mask, and the number of the others.
    """
    found = connected_components(contrast > _threshold(contrast))
    if found.total == 1:
        return found.mask, 0
    along = _along_border(found)
    if along.any() and not along.all():
        # The edge of a table has more contrast than any pencil: set a threshold without it.
        contrast = np.where(dilate(found.select(along), 5), np.float32(0), contrast)
        found = connected_components(contrast > _threshold(contrast))
    if not found.total:
        raise InputError(BLANK)
    mass, at_border = found.sums(contrast), found.border_pixels() > 0
    main = int((mass * np.where(at_border, _AT_BORDER, 1.0)).argmax())
    keep = mass >= _SPECK * mass[main]
    if not at_border[main]:
        keep &= ~at_border
    keep[main] = True
    return found.select(keep), found.total - int(keep.sum())


def _along_border(found: Components) -> Mask:
    """Return which components lie along the border instead of crossing it."""
    touching = found.border_pixels()
    along: Mask = touching * touching > _HUG * found.areas()
    return along


def _threshold(contrast: FloatImage) -> float:
    """Return the threshold of Ridler and Calvard (1978): halfway between the means of both sides.

    Iterated from half the maximum, so that few strokes on a large background are found, too.
    """
    top = float(contrast.max())
    if not top > 0:
        raise InputError(BLANK)
    levels = np.maximum(contrast, 0) * np.float32(255 / top)
    # 4 times as fast as bincount
    counts = np.array(Image.fromarray(levels.astype(np.uint8)).histogram())
    # As lists: only a few values are read, and numpy takes a microsecond for each.
    below, mass = counts.cumsum().tolist(), (counts * _LEVELS).cumsum().tolist()
    cut, before = 127, -1
    for _ in range(_CUTS):
        if cut == before:
            break
        above, under, before = below[-1] - below[cut], below[cut], cut
        mean = (mass[-1] - mass[cut]) / above + mass[cut] / max(1, under)
        cut = int(mean / 2)
    return (cut + 1) * top / 255
