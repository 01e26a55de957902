"""CIFAR-10: ten kinds of animals and vehicles in colour, from the official binary file."""

from __future__ import annotations

import os
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from runtime.errors import DataError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets._download import Download, fetch, sha256_of
from toolkit.datasets.base import DataOptions, Dataset, DatasetSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.progress import Reporter

_TRAINING = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_FILES = (*_TRAINING, "test_batch.bin")
_SIDE, _CHANNELS = 32, 3
_RECORD = 1 + _SIDE * _SIDE * _CHANNELS  # bytes: the class, then the red, green and blue channel
_FOLDER = "cifar-10-batches-bin"


class Cifar10(DatasetSource):
    """Krizhevsky: Learning Multiple Layers of Features from Tiny Images (2009).

    The binary version needs no pickle. Its format and its MD5
    (c32a1d4ab5d03f1284b67883e8d87530) are on the page of the dataset,
    cs.toronto.edu/~kriz/cifar.html; the SHA-256 is that of TensorFlow Datasets.

    Attributes:
        train_counts: training images per class.
        test_counts: test images per class.
        download: the official file.

    Example::

        cifar = load_dataset(DataOptions(name="cifar10"))
    """

    name: ClassVar[str] = "cifar10"
    summary: ClassVar[str] = "animals and vehicles in colour, 50,000 + 10,000 images of 32x32"
    shape: ClassVar[tuple[int, int, int] | None] = (_SIDE, _SIDE, _CHANNELS)
    labels: ClassVar[tuple[str, ...]] = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )
    train_counts: ClassVar[tuple[int, ...]] = (5000,) * 10
    test_counts: ClassVar[tuple[int, ...]] = (1000,) * 10
    download: ClassVar[Download] = Download(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        path="cifar-10-binary.tar.gz",
    )

    def _check(self, options: DataOptions) -> None:
        path = options.path
        if path is None or is_cifar10(path):
            return
        if path.is_file() and not tarfile.is_tarfile(path):
            raise DataError(f"{path} is not the binary version of CIFAR-10: no tar archive")
        for file in (_inside(path) / name for name in _FILES if path.is_dir()):
            if not file.is_file():
                raise DataError(f"{file}: no such file; it is part of CIFAR-10")

    def _load(self, options: DataOptions, reporter: Reporter) -> Dataset:
        path = options.path or _find() or fetch(self.download, self.name, reporter)
        records = _read(path, self.download.sha256)
        x_train, y_train = self._part(records[:-1], path, "training", self.train_counts)
        x_test, y_test = self._part(records[-1:], path, "test", self.test_counts)
        spec = PreprocessSpec(
            height=_SIDE,
            width=_SIDE,
            channels=_CHANNELS,
            fit=options.fit or "pad",
            polarity=options.polarity or "as-is",
        )
        return Dataset(
            self.name, x_train, y_train, x_test, y_test, self.labels, spec, origin=str(path)
        )

    def _part(
        self, files: list[NDArray[np.uint8]], path: Path, part: str, counts: tuple[int, ...]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return images (n, 32, 32, 3) and classes of some files, checked."""
        records = np.concatenate(files)
        y = records[:, 0].astype(np.int64)
        if tuple(np.bincount(y, minlength=len(counts)).tolist()) != counts:
            raise DataError(
                f"{path}: the {part} labels are not those of {self.name}; for your own images "
                "use --dataset folder"
            )
        channels_first = records[:, 1:].reshape(-1, _CHANNELS, _SIDE, _SIDE)
        return np.ascontiguousarray(channels_first.transpose(0, 2, 3, 1)), y


def is_cifar10(path: Path) -> bool:
    """Whether a path is an archive, as only CIFAR-10 is, or a folder with what is in it."""
    if path.is_dir():
        return all((_inside(path) / name).is_file() for name in _FILES)
    return path.is_file() and path.name.endswith(".tar.gz")


def _find() -> Path | None:
    """Look in ``EDGE_DATA_DIR``; :func:`fetch` looks in the Keras cache."""
    root = os.environ.get("EDGE_DATA_DIR")
    names = (Cifar10.download.path, Cifar10.name, _FOLDER)
    found = (Path(root) / name for name in names if root)
    return next((path for path in found if is_cifar10(path)), None)


def _inside(folder: Path) -> Path:
    return folder / _FOLDER if (folder / _FOLDER).is_dir() else folder


def _read(path: Path, sha256: str) -> list[NDArray[np.uint8]]:
    """Return the records of the six files, (n, 3073) each, from the archive or a folder."""
    try:
        if path.is_dir():
            return [_records((_inside(path) / name).read_bytes(), name) for name in _FILES]
        return _read_archive(path, sha256)
    except FileNotFoundError as error:
        raise DataError(f"{error.filename}: no such file; it is part of CIFAR-10") from error
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError, KeyError) as error:
        raise DataError(f"{path} is not the binary version of CIFAR-10: {error}") from error


def _read_archive(path: Path, sha256: str) -> list[NDArray[np.uint8]]:
    if sha256_of(path) != sha256:
        raise ValueError(
            "its SHA-256 is not that of the official file; if it was packed again, unpack it "
            "and name the folder"
        )
    found: dict[str, NDArray[np.uint8]] = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:  # nothing is unpacked to disk, so its paths are harmless
            name = Path(member.name).name
            if name in _FILES and (file := archive.extractfile(member)):
                found[name] = _records(file.read(), name)
    missing = [name for name in _FILES if name not in found]
    if missing:
        raise ValueError(f"no {missing[0]} in it")
    return [found[name] for name in _FILES]


def _records(data: bytes, name: str) -> NDArray[np.uint8]:
    if not data or len(data) % _RECORD:
        raise ValueError(f"{name} has {len(data):,} bytes, no multiple of {_RECORD:,}")
    return np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
