"""Data in the format of MNIST: IDX files or a Keras-style .npz, found, read and checked."""

from __future__ import annotations

import gzip
import os
import struct
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runtime.errors import DataError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets._download import Download, fetch, keras_cache
from toolkit.datasets.base import DataOptions, Dataset, DatasetSource

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from numpy.lib.npyio import NpzFile
    from numpy.typing import NDArray

    from toolkit.progress import Reporter

Arrays = tuple["NDArray[Any]", "NDArray[Any]", "NDArray[Any]", "NDArray[Any]"]

_STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_NPZ_KEYS = ("x_train", "y_train", "x_test", "y_test")
_UINT8 = 0x08  # the type code of unsigned bytes in the IDX header


class IdxSource(DatasetSource):
    """A dataset published as four IDX files and mirrored by Keras.

    Attributes:
        train_counts: training images per class.
        test_counts: test images per class.
        downloads: the files that Keras downloads, with their SHA-256.
    """

    shape: ClassVar[tuple[int, int, int] | None] = (28, 28, 1)
    train_counts: ClassVar[tuple[int, ...]]
    test_counts: ClassVar[tuple[int, ...]]
    labels: ClassVar[tuple[str, ...]]
    fit: ClassVar[str]
    downloads: ClassVar[tuple[Download, ...]]

    def _check(self, options: DataOptions) -> None:
        if options.path is not None:
            check_arrays(options.path)

    def _load(self, options: DataOptions, reporter: Reporter) -> Dataset:
        path = self._find(options.path) or self._download(reporter)
        arrays = read_arrays(path)
        self._check_content(arrays, path)
        x_train, y_train, x_test, y_test = arrays
        spec = PreprocessSpec(
            height=28,
            width=28,
            channels=1,
            fit=options.fit or self.fit,
            polarity=options.polarity or "auto",
        )
        return Dataset(
            name=self.name,
            x_train=x_train[..., None],
            y_train=y_train.astype(np.int64),
            x_test=x_test[..., None],
            y_test=y_test.astype(np.int64),
            labels=self.labels,
            spec=spec,
            origin=str(path),
        )

    def _find(self, path: Path | None) -> Path | None:
        if path is not None:
            return path
        places = [keras_cache()]
        if root := os.environ.get("EDGE_DATA_DIR"):
            places.insert(0, Path(root))
        for place in places:
            for candidate in (place / f"{self.name}.npz", place / self.name):
                if candidate.is_file() or is_idx_folder(candidate):
                    return candidate
        return None

    def _download(self, reporter: Reporter) -> Path:
        paths = [fetch(item, self.name, reporter) for item in self.downloads]
        return paths[0] if len(paths) == 1 else paths[0].parent

    def _check_content(self, arrays: Arrays, path: Path) -> None:
        for part, x, y, counts in (
            ("training", arrays[0], arrays[1], self.train_counts),
            ("test", arrays[2], arrays[3], self.test_counts),
        ):
            expected = (sum(counts), 28, 28)
            if x.dtype != np.uint8 or x.shape != expected:
                raise DataError(
                    f"{path}: {part} images of {self.name} must be uint8 {expected}, "
                    f"not {x.dtype} {x.shape}; for your own data use --dataset npz"
                )
            if not np.issubdtype(y.dtype, np.integer) or y.shape != x.shape[:1] or y.min() < 0:
                raise DataError(
                    f"{path}: {part} labels of {self.name} must be {len(x):,} integers 0…9, "
                    f"not {y.dtype} {y.shape}"
                )
            if tuple(np.bincount(y, minlength=len(counts)).tolist()) != counts:
                raise DataError(f"{path}: the {part} labels are not those of {self.name}")
            if x.min() != 0 or x.max() != 255:
                raise DataError(f"{path}: the {part} pixels of {self.name} must span 0…255")


def is_idx_folder(path: Path) -> bool:
    """Whether a folder holds the four IDX files, gzipped or not."""
    return path.is_dir() and all(_idx_file(path, stem) for stem in _STEMS)


def class_counts(path: Path) -> tuple[int, ...] | None:
    """Return the training images per class, or None if they cannot be determined."""
    try:
        labels = _training_labels(path)
        return tuple(np.bincount(labels).tolist())
    except (DataError, ValueError, TypeError):
        return None


def read_arrays(path: Path) -> Arrays:
    """Read training and test arrays from a .npz or a folder of IDX files.

    Returns:
        ``x_train, y_train, x_test, y_test`` as they are stored.

    Raises:
        DataError: the file is missing, broken, or lacks an array.
    """
    if path.is_dir():
        return _read_idx_folder(path)
    values = read_npz(path)
    _require_keys(path, values)
    return values["x_train"], values["y_train"], values["x_test"], values["y_test"]


def check_arrays(path: Path) -> None:
    """Check that :func:`read_arrays` finds its arrays, without reading them.

    Raises:
        DataError: the file is missing, of another kind, or lacks an array.

    Example::

        check_arrays(Path("mnist.npz"))
    """
    if path.is_dir():
        _idx_files(path)
    else:
        with _npz(path) as archive:
            _require_keys(path, archive.files)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of a .npz; pickled objects are refused.

    Raises:
        DataError: it is missing, truncated, no .npz, or holds pickled objects.

    Example:
        >>> np.savez("tiny.npz", x_train=np.zeros((2, 28, 28), np.uint8))
        >>> read_npz(Path("tiny.npz"))["x_train"].shape
        (2, 28, 28)
    """
    with _npz(path) as archive:
        return {key: archive[key] for key in archive.files}


def _training_labels(path: Path) -> NDArray[Any]:
    if path.is_dir():
        return _read_idx(_idx_files(path)[1])
    with _npz(path) as archive:
        _require_keys(path, archive.files)
        labels: NDArray[Any] = archive["y_train"]
        return labels


def _require_keys(path: Path, found: Collection[str]) -> None:
    missing = [key for key in _NPZ_KEYS if key not in found]
    if missing:
        raise DataError(f"{path}: no array {', '.join(missing)}; found {', '.join(found)}")


@contextmanager
def _npz(path: Path) -> Iterator[NpzFile]:
    """Open an archive of arrays; errors while it is open become a DataError."""
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise DataError(f"{path} holds one array; a dataset is a .npz with 4 named arrays")
        with archive:
            yield archive
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not a readable .npz file: {error}") from error


def _idx_file(folder: Path, stem: str) -> Path | None:
    for name in (stem, f"{stem}.gz"):
        if (folder / name).is_file():
            return folder / name
    return None


def _idx_files(folder: Path) -> list[Path]:
    files = [_idx_file(folder, stem) for stem in _STEMS]
    missing = [stem for stem, file in zip(_STEMS, files, strict=True) if file is None]
    if missing:
        raise DataError(f"{folder}: no {', '.join(missing)} (plain or .gz)")
    return [file for file in files if file]


def _read_idx_folder(folder: Path) -> Arrays:
    x_train, y_train, x_test, y_test = map(_read_idx, _idx_files(folder))
    return x_train, y_train, x_test, y_test


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one IDX file (format: yann.lecun.com/exdb/mnist, "the IDX file format")."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(raw) < 4 or raw[:3] != bytes((0, 0, _UINT8)):
        raise DataError(f"{path} is not an IDX file of bytes")
    rank = raw[3]
    start = 4 + 4 * rank
    if len(raw) < start:
        raise DataError(f"{path} is truncated")
    shape = struct.unpack(f">{rank}I", raw[4:start])
    if len(raw) - start != int(np.prod(shape)):
        raise DataError(f"{path} is truncated: {len(raw) - start} bytes for shape {shape}")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
