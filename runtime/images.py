"""Reads image files of every common kind into 8-bit grey or RGB."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from runtime.errors import InputError

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
MAX_PIXELS = 100_000_000  # a decompression bomb limit: 100 megapixels, above any camera of a Pi
_WIDEST = 65535  # full scale of 16-bit images
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")


def decode(source: Path | str | bytes | BinaryIO) -> Image.Image:
    """Decode an image.

    16-bit grey is scaled to 8 bit over its full range, palettes are resolved, EXIF
    rotation is applied, transparency is laid on the background that contrasts with
    the picture. Of an animation or multi-page file the first frame is taken.

    Args:
        source: a path, the bytes of a file, or an open binary file.

    Returns:
        An image in mode ``L`` (grey) or ``RGB``.

    Raises:
        InputError: no such file, not an image of a known format, truncated, or
            larger than 100 megapixels.
    """
    prefix = f"{source}: " if isinstance(source, (str, Path)) else ""
    try:
        return _decode(io.BytesIO(source) if isinstance(source, bytes) else source)
    except FileNotFoundError as error:
        raise InputError(f"{prefix}no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{prefix}is a folder") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{prefix}not an image of a known kind ({', '.join(FORMATS)})") from error
    except InputError as error:
        raise InputError(f"{prefix}{error}") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{prefix}too large: {error}") from error
    except Exception as error:  # decoders raise many unrelated kinds on damaged bytes
        raise InputError(f"{prefix}cannot be decoded: {error}") from error


def _decode(source: Path | str | BinaryIO) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an image is decoded or an error says why not
        with Image.open(source, formats=FORMATS) as image:
            _check_size(image)
            image.load()
            return to_plain(ImageOps.exif_transpose(image))


def to_plain(image: Image.Image) -> Image.Image:
    """Bring any Pillow image to mode ``L`` or ``RGB``.

    Raises:
        InputError: a mode or value range that has no 8-bit meaning.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _from_wide(image)
    if "A" in image.getbands() or "transparency" in image.info:
        return _flatten(image)
    if image.mode in ("L", "RGB"):
        return image.copy()
    return image.convert("L" if image.mode in _GREY_MODES else "RGB")


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise InputError(
            f"{image.width}x{image.height} pixels are more than the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels"
        )


def _from_wide(image: Image.Image) -> Image.Image:
    """Scale 16-bit integers by 65535, floats by 1."""
    values = np.asarray(image, np.float64)
    full = 1.0 if image.mode == "F" else float(_WIDEST)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= full):
        raise InputError(f"{image.mode} pixels must lie in 0…{full:g}")
    return Image.fromarray(np.round(values * (255.0 / full)).astype(np.uint8))


def _flatten(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on white if it is dark, on black if it is light."""
    grey = image.mode in ("L", "LA", "La")
    rgba = np.asarray(image.convert("RGBA"), np.float32)
    alpha = rgba[..., 3:] / 255.0
    weight = float(alpha.sum())
    mean = float((rgba[..., :3] * alpha).sum()) / (3.0 * weight) if weight else 0.0
    paper = 255.0 if mean < 128.0 else 0.0
    flat = np.round(rgba[..., :3] * alpha + paper * (1.0 - alpha)).astype(np.uint8)
    return Image.fromarray(flat[..., 0] if grey else flat)
