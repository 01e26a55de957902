"""Decoding of image files into 8-bit grey or RGB."""

from __future__ import annotations

import importlib
import io
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image

from runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

# Of each format: the name of Pillow's plugin, and the signature at the start of a file.
_KINDS = {
    "PNG": ("Png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    "JPEG": ("Jpeg", re.compile(rb"\xff\xd8\xff")),
    "BMP": ("Bmp", re.compile(rb"BM")),
    "WEBP": ("WebP", re.compile(rb"RIFF....WEBPVP8[ LX]", re.DOTALL)),
    "TIFF": ("Tiff", re.compile(rb"(II|MM)(\*\0|\+\0|\0\*|\0\+)")),
}
_SIGNATURE = 16  # bytes
_SMALL = 1 << 16  # bytes: a larger buffer would be allocated by the system for each file
FORMATS = tuple(_KINDS)
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
MAX_PIXELS = 100_000_000  # a decompression bomb limit: 100 megapixels, above any camera of a Pi
BLANK = "no strokes found: the image is blank"
# Key in the info of an image that was decoded smaller; not a text, as a file may set any text.
_FULL_SIZE = (0, 0)
_ORIENTATION = 0x0112  # the EXIF tag
_STRIP = 1 << 20  # pixels
_FULL_SCALE = 65535  # full scale of 16-bit images
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")

# An image is decoded, or an error states why not: a warning adds nothing. Set once and never
# reset, because ``catch_warnings`` is not safe with several threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(source: Path | str | bytes | BinaryIO, min_side: int = 0) -> Image.Image:
    """Decode an image.

    16-bit grey is scaled to 8 bit over its full range, palettes are resolved, EXIF
    rotation is applied, transparency is replaced by the background that contrasts with
    the image. Of an animation or multi-page file the first frame is taken.

    Args:
        source: a path, the bytes of a file, or an open binary file.
        min_side: smallest longest side of the result, in pixels. A JPEG is decoded at 1/2,
            1/4 or 1/8 of its size if that is enough: its blocks hold their averages. 0
            requests all pixels.

    Returns:
        An image in mode ``L`` (grey) or ``RGB``; :func:`size_in_file` returns its full size.

    Raises:
        InputError: no such file, not an image of a known format, truncated, or
            larger than 100 megapixels.

    Example:
        >>> Image.new("P", (20, 10)).save("palette.png")
        >>> image = decode("palette.png")
        >>> image.mode, image.size
        ('RGB', (20, 10))
    """
    path = source if isinstance(source, (str, Path)) else ""
    prefix = f"{path}: " if path else ""
    try:
        if isinstance(source, (str, Path)):
            with open(source, "rb", buffering=0) as file:  # noqa: PTH123 - faster than Path.open
                return _decode(_buffered(file), min_side)
        return _decode(io.BytesIO(source) if isinstance(source, bytes) else source, min_side)
    except FileNotFoundError as error:
        from runtime.errors import did_you_mean

        raise InputError(f"{prefix}no such file{did_you_mean(path)}") from error
    except IsADirectoryError as error:
        raise InputError(f"{prefix}is a folder") from error
    except InputError as error:
        raise InputError(f"{prefix}{error}") from error
    except Exception as error:  # decoders raise many unrelated kinds on damaged bytes
        raise InputError(f"{prefix}cannot be decoded: {error}") from error


def _buffered(file: io.FileIO) -> BinaryIO:
    """Read a small file in one call: each of many short reads releases Python's lock."""
    start = file.read(_SMALL)
    if len(start) < _SMALL:
        return io.BytesIO(start)
    file.seek(0)
    return io.BufferedReader(file)


def is_picture(image: object) -> bool:
    """Whether an object is a Pillow image.

    Args:
        image: any object.

    Example:
        >>> is_picture(Image.new("L", (1, 1))), is_picture("seven.png")
        (True, False)
    """
    return isinstance(image, Image.Image)


def unusable(image: object) -> InputError:
    """Return the error for an object that cannot be used as an image.

    Args:
        image: any object.

    Example:
        >>> print(unusable(7))
        expected a path, bytes, Pillow image or array, got int
    """
    return InputError(f"expected a path, bytes, Pillow image or array, got {type(image).__name__}")


def size_in_file(image: Image.Image) -> tuple[int, int]:
    """Return width and height of a decoded image in its file, upright.

    Args:
        image: what :func:`decode` returned; it may have been decoded smaller.

    Example:
        >>> Image.new("L", (640, 480)).save("photo.jpg")
        >>> image = decode("photo.jpg", min_side=160)
        >>> image.size, size_in_file(image)
        ((160, 120), (640, 480))
    """
    size: tuple[int, int] = image.info.get(_FULL_SIZE, image.size)
    return size


def _decode(file: BinaryIO, min_side: int) -> Image.Image:
    image = _identify(file)
    _check_size(image)
    _draft(image, min_side)
    image.load()
    return _plain(_upright(image))


def _identify(file: BinaryIO) -> Image.Image:
    """Read the header of a file with the plugin of its format.

    ``Image.open`` would first import the plugins of five formats, and try them all.
    """
    start = file.tell()
    head = file.read(_SIGNATURE)
    file.seek(start)
    for kind, (plugin, signature) in _KINDS.items():
        if signature.match(head):
            module = importlib.import_module(f"PIL.{plugin}ImagePlugin")
            try:
                image: Image.Image = getattr(module, f"{plugin}ImageFile")(file)
            except SyntaxError as error:
                raise InputError(f"not a {kind} image, or its header is damaged") from error
            return image
    raise InputError(f"not an image of a known format ({', '.join(FORMATS)})")


def _draft(image: Image.Image, min_side: int) -> None:
    """Let the decoder shrink an image; only that of JPEG can."""
    factor = max(image.size) // min_side if min_side else 1
    if factor > 1:
        image.info[_FULL_SIZE] = image.size
        image.draft(None, (max(1, image.width // factor), max(1, image.height // factor)))


def _upright(image: Image.Image) -> Image.Image:
    """Rotate an image in place by its EXIF orientation."""
    if image.getexif().get(_ORIENTATION, 1) != 1:
        from PIL import ImageOps

        size = image.size
        ImageOps.exif_transpose(image, in_place=True)
        if image.size != size and _FULL_SIZE in image.info:
            image.info[_FULL_SIZE] = image.info[_FULL_SIZE][::-1]
    return image


def to_plain(image: Image.Image) -> Image.Image:
    """Return a copy of any Pillow image in mode ``L`` or ``RGB``.

    Args:
        image: of any mode.

    Raises:
        InputError: a mode or value range that has no 8-bit meaning.

    Example:
        >>> to_plain(Image.new("1", (2, 2), 1)).getpixel((0, 0))
        255
    """
    try:
        plain = _plain(image)
        return image.copy() if plain is image else plain
    except OSError as error:  # Pillow reads a file when its pixels are used
        raise InputError(f"cannot be decoded: {error}") from error


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _from_wide(image)
    if "A" in image.getbands() or "transparency" in image.info:
        return _flatten(image)
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode in _GREY_MODES else "RGB")


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise InputError(
            f"too large: {image.width}x{image.height} pixels are more than the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels"
        )


def _from_wide(image: Image.Image) -> Image.Image:
    """Scale 16-bit integers by 65535, floats by 1."""
    values = np.asarray(image)
    full = 1.0 if image.mode == "F" else float(_FULL_SCALE)
    if not (values.min() >= 0 and values.max() <= full):  # NaN is neither
        raise InputError(f"{image.mode} pixels must lie in 0…{full:g}")
    return _by_strips(values, lambda strip: strip.astype(np.float64) * (255.0 / full))


def _flatten(image: Image.Image) -> Image.Image:
    """Replace transparency by white in a dark image, by black in a light one."""
    grey = image.mode in ("L", "LA", "La")
    rgba = np.asarray(image.convert("RGBA"))
    weight = float(rgba[..., 3].sum(dtype=np.int64))
    light = sum(
        float(np.einsum("ijc,ij->", strip[..., :3], strip[..., 3], dtype=np.float64))
        for strip in _strips(rgba)
    )
    mean = light / (3.0 * weight) if weight else 0.0
    background = 255.0 if mean < 128.0 else 0.0

    def blend(strip: NDArray[np.uint8]) -> NDArray[np.float32]:
        colours = strip[..., :1] if grey else strip[..., :3]
        alpha = strip[..., 3:] / np.float32(255.0)
        blended: NDArray[np.float32] = colours * alpha + background * (1.0 - alpha)
        return blended[..., 0] if grey else blended

    return _by_strips(rgba, blend)


def _strips(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Cut an image into strips of about a megapixel: a photo in floats would take gigabytes."""
    rows = max(1, _STRIP // pixels.shape[1])
    return (pixels[start : start + rows] for start in range(0, len(pixels), rows))


def _by_strips(
    pixels: NDArray[Any], operation: Callable[[NDArray[Any]], NDArray[Any]]
) -> Image.Image:
    """Apply an operation to each strip and round to 8 bits."""
    strips = [np.round(operation(strip)).astype(np.uint8) for strip in _strips(pixels)]
    return Image.fromarray(np.concatenate(strips))
