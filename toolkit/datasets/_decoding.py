"""Reads many image files in parallel, into memory or, if they are too many, into a file."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from runtime.errors import DataError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from runtime.preprocessing.spec import PreprocessSpec
    from toolkit.progress import Reporter

IN_MEMORY = 64_000_000  # bytes of pixels; more are kept on disk
_FILES_PER_TASK = 64
_LOG = logging.getLogger("toolkit")


def decode_all(
    files: Sequence[Path], spec: PreprocessSpec, root: Path, reporter: Reporter
) -> NDArray[np.uint8]:
    """Decode image files and resize them to the model input.

    More than 64 MB of pixels are written to one file in the cache, which is memory-mapped.
    Later calls reuse it as long as names, sizes and times of the images are the same;
    otherwise it is replaced.

    Args:
        files: in the order of the rows.
        spec: their size, polarity and fit.
        root: the folder that the user named.
        reporter: receives the progress.

    Returns:
        uint8 (n, height, width, channels); a read-only ``np.memmap`` if it is on disk.

    Raises:
        DataError: a file is damaged, or the disk is full.

    Example::

        files = sorted(Path("flowers").rglob("*.jpg"))
        pixels = decode_all(files, PreprocessSpec(64, 64, 3), Path("flowers"), SILENT)
    """
    shape = (len(files), *spec.shape)
    size = math.prod(shape)
    if size <= IN_MEMORY:
        pixels = np.empty(shape, np.uint8)
        _fill(pixels, files, spec, reporter)
        return pixels
    path = _cache_file(files, spec, root)
    if not path.is_file() or path.stat().st_size != size:
        try:
            _write(path, files, spec, reporter)
        except OSError as error:
            raise DataError(
                f"cannot keep {size:,} bytes of pixels in {path.parent} "
                f"({error.strerror or error}); name another folder with EDGE_CACHE_DIR"
            ) from error
    _LOG.debug("%d images: %d bytes of pixels in %s", len(files), size, path)
    return np.memmap(path, np.uint8, "r", shape=shape)


def decode_one(file: Path, spec: PreprocessSpec) -> Image.Image:
    """Decode an image at the size that the spec needs.

    Raises:
        DataError: it is damaged.
    """
    try:
        return spec.decode(file)
    except InputError as error:
        raise DataError(f"{error}; fix or remove it") from error


def cache_folder() -> Path:
    """Return the folder for pixels that do not fit into memory."""
    if chosen := os.environ.get("EDGE_CACHE_DIR"):
        return Path(chosen) / "pixels"
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "edge-toolkit" / "pixels"


def _cache_file(files: Sequence[Path], spec: PreprocessSpec, root: Path) -> Path:
    """Name the file after folder and spec, then after names, sizes and times of the images."""
    owner = hashlib.sha256(json.dumps([str(root.resolve()), spec.to_json()]).encode())
    listing = hashlib.sha256()
    for file in files:
        stat = file.stat()
        listing.update(f"{file.relative_to(root)}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return cache_folder() / f"{owner.hexdigest()[:16]}-{listing.hexdigest()[:32]}.u8"


def _write(path: Path, files: Sequence[Path], spec: PreprocessSpec, reporter: Reporter) -> None:
    """Write the pixels under another name first, so that the file is complete or missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    temporary, shape = Path(name), (len(files), *spec.shape)
    try:
        with os.fdopen(handle, "r+b") as file:
            if hasattr(os, "posix_fallocate"):  # a full disk is an error here, a crash later
                os.posix_fallocate(file.fileno(), 0, math.prod(shape))
            pixels = np.memmap(file, np.uint8, "r+", shape=shape)
        _fill(pixels, files, spec, reporter)
        pixels.flush()
        for old in path.parent.glob(f"{path.name.split('-')[0]}-*{path.suffix}"):
            old.unlink(missing_ok=True)  # of the same folder, before it changed
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _fill(
    pixels: NDArray[np.uint8], files: Sequence[Path], spec: PreprocessSpec, reporter: Reporter
) -> None:
    """Decode into the rows on all cores: Pillow decodes and scales without Python's lock."""

    def part(start: int) -> int:
        some = files[start : start + _FILES_PER_TASK]
        for index, file in enumerate(some, start):
            try:
                pixels[index] = spec.prepare(decode_one(file, spec)).pixels
            except InputError as error:
                raise DataError(f"{file}: {error}") from error
        return len(some)

    workers = ThreadPoolExecutor(os.cpu_count() or 1, "decode")
    try:
        with reporter.task("reading images", len(files)) as tick:
            for done in workers.map(part, range(0, len(files), _FILES_PER_TASK)):
                tick(done)
    finally:
        workers.shutdown(cancel_futures=True)
