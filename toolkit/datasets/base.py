"""Datasets: arrays, labels, the preprocessing that fits them, a checksum."""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runtime.errors import DataError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_CHUNK = 4096  # images copied together


def arguments(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return command-line options with their values, quoted.

    Args:
        values: by the name of the option; a tuple is a list with commas, None is left out.

    Example:
        >>> arguments({"dataset": "mnist", "mean": (0.5, 0.4), "fit": None})
        ('--dataset mnist', '--mean 0.5,0.4')
    """
    texts = {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
        if value is not None
    }
    return tuple(f"--{name} {shlex.quote(text)}" for name, text in texts.items())


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Which data to load, and how images of other sizes become model input.

    Attributes:
        name: a registered dataset, or None to recognise it from ``path``.
        path: a file or folder of the user's, or None to look in the usual places.
        image_size: rows and columns of the model input; only for image folders.
        channels: 1 or 3; only for image folders.
        fit: overrides the dataset's :attr:`PreprocessSpec.fit`.
        polarity: overrides the dataset's :attr:`PreprocessSpec.polarity`.

    Example:
        >>> DataOptions(path=Path("my flowers"), fit="pad").as_arguments()
        ("--data 'my flowers'", '--fit pad')
    """

    name: str | None = None
    path: Path | None = None
    image_size: tuple[int, int] | None = None
    channels: int | None = None
    fit: str | None = None
    polarity: str | None = None

    def __post_init__(self) -> None:
        """Check what does not depend on the data.

        Raises:
            InputError: a field is out of its range.
        """
        height, width = self.image_size or (None, None)
        PreprocessSpec.check_changes(
            height=height,
            width=width,
            channels=self.channels,
            fit=self.fit,
            polarity=self.polarity,
        )

    def as_arguments(self, *, size: bool = False) -> tuple[str, ...]:
        """Return the command-line options that select this data, quoted.

        Args:
            size: whether to include the size of the images; a model has its own.
        """
        values: dict[str, Any] = {
            "dataset": self.name,
            "data": self.path,
            "fit": self.fit,
            "polarity": self.polarity,
        }
        if size:
            rows = "x".join(map(str, self.image_size)) if self.image_size else None
            values |= {"image-size": rows, "channels": self.channels}
        return arguments(values)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one size with their classes, split into training and test.

    Attributes:
        name: the name that goes into run folders and manifests.
        x_train: uint8 (n, height, width, channels), 0…255.
        y_train: int64 (n,), an index into ``labels``.
        x_test: like ``x_train``.
        y_test: like ``y_train``.
        labels: the class names.
        spec: how an image becomes model input.
        origin: where the data was found, as text.
        notes: what was changed while loading, as sentences.

    Example:
        >>> x, y = np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 0, 1])
        >>> data = Dataset("tiny", x, y, x, y, ("off", "on"), PreprocessSpec(8, 8))
        >>> data.limited(2).x_train.shape
        (2, 8, 8, 1)
    """

    name: str
    x_train: NDArray[np.uint8]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.int64]
    labels: tuple[str, ...]
    spec: PreprocessSpec
    origin: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def checksum(self) -> str:
        """SHA-256 over shapes and bytes of the four arrays, as hexadecimal digits."""
        digest = hashlib.sha256()
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def limited(self, count: int | None) -> Dataset:
        """Return the same dataset with only the first ``count`` training images.

        Raises:
            DataError: ``count`` is less than one.
        """
        if count is None:
            return self
        if count < 1:
            raise DataError(f"--limit must be at least 1, not {count}")
        return replace(self, x_train=self.x_train[:count], y_train=self.y_train[:count])


class DatasetSource(ABC):
    """One kind of dataset; a file in this package with one such class adds it.

    Attributes:
        name: the value of ``--dataset``.
        summary: one line for ``--help`` and the README.
        shape: height, width and channels of the images, if they are always the same.

    Example::

        class Flowers(DatasetSource):
            name = "flowers"
            summary = "five kinds of flowers"

            def _load(self, options, reporter):
                return Dataset("flowers", x_train, y_train, x_test, y_test, labels, spec)
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    shape: ClassVar[tuple[int, int, int] | None] = None

    def check(self, options: DataOptions) -> None:
        """Check the options, names and headers of files, without loading the data.

        Raises:
            DataError: names the first error.
        """
        if self.shape is not None:
            _check_size(self.name, self.shape, options)
        self._check(options)

    def load(self, options: DataOptions, reporter: Reporter = SILENT) -> Dataset:
        """Load the data and check its content.

        Raises:
            DataError: it cannot be found or read, or its content is wrong.
        """
        self.check(options)
        dataset = self._load(options, reporter)
        _check_size(dataset.name, dataset.spec.shape, options)
        check(dataset)
        whole = without_overlap(dataset)
        for array in (whole.x_train, whole.y_train, whole.x_test, whole.y_test):
            array.setflags(write=False)  # shared by many callers
        return whole

    def _check(self, options: DataOptions) -> None:  # noqa: B027 - optional to override
        """Check the path; the default locations are not checked."""

    @abstractmethod
    def _load(self, options: DataOptions, reporter: Reporter) -> Dataset: ...


def _check_size(name: str, shape: tuple[int, int, int], options: DataOptions) -> None:
    """Refuse a requested size that the data does not have, rather than ignore it."""
    height, width, channels = shape
    wanted = (*(options.image_size or (height, width)), options.channels or channels)
    if wanted != shape:
        raise DataError(
            f"{name} has images of {height}x{width}x{channels}, requested "
            f"{'x'.join(map(str, wanted))}; only image folders are resized"
        )


def check(dataset: Dataset) -> None:
    """Check shapes, dtypes and the range of the labels.

    Raises:
        DataError: names the first error.

    Example:
        >>> x, y = np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 2])
        >>> check(Dataset("tiny", x, y, x, y, ("off", "on"), PreprocessSpec(8, 8)))
        Traceback (most recent call last):
        runtime.errors.DataError: tiny: training labels run from 0 to 2, but there are 2 classes...
    """
    for part, x, y in (
        ("training", dataset.x_train, dataset.y_train),
        ("test", dataset.x_test, dataset.y_test),
    ):
        if x.dtype != np.uint8 or not dataset.spec.matches(x):
            raise DataError(
                f"{dataset.name}: {part} images must be uint8 (n, "
                f"{', '.join(map(str, dataset.spec.shape))}), not {x.dtype} {x.shape}"
            )
        if len(x) == 0 or len(x) != len(y):
            raise DataError(f"{dataset.name}: {len(x)} {part} images for {len(y)} labels")
        if y.min() < 0 or y.max() >= len(dataset.labels):
            first = int(np.argmax((y < 0) | (y >= len(dataset.labels))))
            raise DataError(
                f"{dataset.name}: {part} labels run from {y.min()} to {y.max()}, "
                f"but there are {len(dataset.labels)} classes (0…{len(dataset.labels) - 1}); "
                f"the first wrong one is {y[first]}, of image {first}"
            )


def image_hashes(images: NDArray[Any]) -> NDArray[np.bytes_]:
    """Return the SHA-256 (first 16 bytes) of each image, to find equal images.

    Example:
        >>> first, second = image_hashes(np.zeros((2, 8, 8, 1), np.uint8))
        >>> bool(first == second)
        True
    """
    flat = np.ascontiguousarray(images).reshape(len(images), -1)
    return np.array([hashlib.sha256(row.data).digest()[:16] for row in flat], dtype="V16").view(
        "S16"
    )


def without_overlap(dataset: Dataset) -> Dataset:
    """Drop training images that are also test images, byte for byte.

    Raises:
        DataError: no training image is left.

    Example:
        >>> x, y = np.arange(3 * 64, dtype=np.uint8).reshape(3, 8, 8, 1), np.array([0, 1, 1])
        >>> data = Dataset("tiny", x, y, x[:1], y[:1], ("off", "on"), PreprocessSpec(8, 8))
        >>> without_overlap(data).notes
        ('1 training images that are also test images were left out',)
    """
    shared = np.isin(image_hashes(dataset.x_train), image_hashes(dataset.x_test))
    if not shared.any():
        return dataset
    if shared.all():
        raise DataError(f"{dataset.name}: every training image is also a test image")
    note = f"{int(shared.sum())} training images that are also test images were left out"
    return replace(
        dataset,
        x_train=rows(dataset.x_train, ~shared),
        y_train=dataset.y_train[~shared],
        notes=(*dataset.notes, note),
    )


def rows(images: NDArray[np.uint8], keep: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the selected images; those on disk stay there, in a temporary file.

    Args:
        images: uint8 (n, height, width, channels).
        keep: (n,), True for the images to return.

    Example:
        >>> rows(np.zeros((3, 8, 8, 1), np.uint8), np.array([True, False, True])).shape
        (2, 8, 8, 1)
    """
    if not isinstance(images, np.memmap) or images.filename is None:
        return images[keep]
    with tempfile.TemporaryFile(dir=Path(images.filename).parent) as file:
        shape = (int(keep.sum()), *images.shape[1:])
        kept = np.memmap(file, np.uint8, "w+", shape=shape)
    places = np.flatnonzero(keep)
    for start in range(0, len(places), _CHUNK):
        kept[start : start + _CHUNK] = images[places[start : start + _CHUNK]]
    return kept
