"""Inputs of the command line: files, folders, globs and arrays, as single images."""

from __future__ import annotations

import glob
import logging
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import InputError
from runtime.preprocessing.decode import IMAGE_SUFFIXES, decode
from runtime.preprocessing.spec import CHANNELS, check_pixel_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import Image

STDIN = "-"
_ARRAY_SUFFIX = ".npy"
_COUNTED = 100  # .npy files are counted by their images: to open one takes 0.15 ms
_MAPPED = 16_000_000  # bytes of a .npy file after which it is mapped again
_LOG = logging.getLogger("runtime")


@dataclass(frozen=True, slots=True)
class Source:
    """One input image that is not read yet, or an input that is known to be bad.

    Attributes:
        name: the name the user gave it.
        image: what :meth:`Classifier.predict_stream` takes: a file or its bytes, not decoded
            yet, an array, or the error.

    Example:
        >>> Source("-", InputError("standard input is closed")).read()
        Traceback (most recent call last):
        runtime.errors.InputError: standard input is closed
    """

    name: str
    image: Path | bytes | NDArray[Any] | InputError

    def read(self) -> Image.Image | NDArray[Any]:
        """Return the image with all its pixels.

        Raises:
            InputError: it cannot be read.

        Example:
            >>> Source("a", np.zeros((2, 2), np.uint8)).read().shape
            (2, 2)
        """
        if isinstance(self.image, InputError):
            raise self.image
        return decode(self.image) if isinstance(self.image, (Path, bytes)) else self.image


class Inputs:
    """Files, folders, globs, ``.npy`` arrays and ``-``, as single images.

    Nothing is decoded here, and a bad input becomes a source that holds its error, so that
    the others still run.

    Example:
        >>> np.save("digits.npy", np.zeros((2, 8, 8), np.uint8))
        >>> inputs = Inputs(("digits.npy", "seven.png"))
        >>> [source.name for source in inputs], inputs.count(most=10)
        (['digits.npy[0]', 'digits.npy[1]', 'seven.png'], 3)
    """

    def __init__(self, arguments: tuple[str, ...]) -> None:
        """Keep the arguments; no file is opened yet.

        Args:
            arguments: as typed.
        """
        self._arguments = arguments
        self._paths = cache(_paths)  # a folder is listed once for counting and iterating

    def __iter__(self) -> Iterator[Source]:
        """Yield one source per image, in the order given; folders and globs sorted by name."""
        for argument in self._arguments:
            if argument == STDIN:
                yield _standard_input()
                continue
            try:
                paths = self._paths(argument)
            except InputError as error:
                yield Source(argument, error)
            except OSError as error:  # a name that is too long, a folder that may not be read
                yield Source(argument, InputError(error.strerror or str(error)))
            else:
                yield from _each(paths)

    def count(self, most: int) -> int:
        """Return the number of images; counting stops at ``most``.

        Args:
            most: largest number of interest.

        Example:
            >>> Inputs(("seven.png", "eight.png")).count(most=1)
            1
        """
        total = opened = 0
        for path in (path for argument in self._arguments for path in self._named(argument)):
            is_array = path.suffix.lower() == _ARRAY_SUFFIX
            opened += is_array
            total += _length(path) if is_array and opened <= _COUNTED else 1
            if total >= most:
                return most
        return total

    def _named(self, argument: str) -> list[Path]:
        """Return the files an argument refers to; none if it cannot be read."""
        try:
            return [Path(argument)] if argument == STDIN else self._paths(argument)
        except (InputError, OSError):
            return []


def _standard_input() -> Source:
    if sys.stdin is None:
        return Source(STDIN, InputError("standard input is closed"))
    return Source(STDIN, sys.stdin.buffer.read())


def _paths(argument: str) -> list[Path]:
    """Return the files a folder, a glob or a file name refers to."""
    path = Path(argument)
    if path.is_dir():
        entries = list(path.iterdir())
        found = sorted(entry for entry in entries if entry.suffix.lower() in _known_suffixes())
        if not found:
            raise InputError(
                f"the folder contains no images ({', '.join(sorted(_known_suffixes()))})"
            )
        _LOG.debug("%s: %d images, %d entries skipped", path, len(found), len(entries) - len(found))
        return found
    if not path.exists() and glob.has_magic(argument):
        named = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207 - also absolute patterns
        matches = [Path(name) for name in named if Path(name).is_file()]
        if not matches:
            raise InputError("no file matches")
        return matches
    return [path]


def _each(paths: list[Path]) -> Iterator[Source]:
    for path in paths:
        if path.suffix.lower() == _ARRAY_SUFFIX:
            yield from _arrays(path)
        else:
            yield Source(str(path), path)


def _arrays(path: Path) -> Iterator[Source]:
    """One source for each image in a ``.npy`` file, which stays on disk until read."""
    try:
        images = _batch(_load(path))
        check_pixel_type(images.dtype)
    except InputError as error:
        yield Source(str(path), error)
        return
    if images.size == 0:
        yield Source(str(path), InputError(f"contains no image: shape {images.shape}"))
        return
    name, per_map = str(path), max(1, _MAPPED // images[0].nbytes)
    for index in range(len(images)):
        if index % per_map == 0:
            images = _batch(_load(path))  # pages read through the old map count as used memory
        yield Source(name if len(images) == 1 else f"{name}[{index}]", images[index])


def _length(path: Path) -> int:
    """Return the number of images in a ``.npy`` file; 0 if it cannot be read."""
    if not path.is_file():  # a pipe can be read only once
        return 1
    try:
        return len(_batch(_load(path)))
    except InputError:
        return 0


def _load(path: Path) -> NDArray[Any]:
    try:
        array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        from runtime.errors import did_you_mean

        raise InputError(f"no such file{did_you_mean(path)}") from error
    except Exception as error:  # numpy raises many unrelated kinds on damaged headers
        raise InputError(f"not a readable .npy file of numbers: {error}") from error
    if not isinstance(array, np.ndarray):
        raise InputError("not a .npy file but an .npz archive; save one array with numpy.save")
    return np.asarray(array)  # to slice a memmap takes 12 us, to slice a view of it 0.2


def _batch(array: NDArray[Any]) -> NDArray[Any]:
    """Return a batch; three axes are one image if the last is 1 or 3."""
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS):
        return array[None]
    if array.ndim == 3 or (array.ndim == 4 and array.shape[3] in CHANNELS):
        return array
    raise InputError(
        f"expected one image (h, w[, 1 or 3]) or a batch (n, h, w[, 1 or 3]), got {array.shape}"
    )


def _known_suffixes() -> frozenset[str]:
    return IMAGE_SUFFIXES | {_ARRAY_SUFFIX}
