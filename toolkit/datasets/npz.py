"""A user's own arrays in one .npz file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runtime.errors import DataError
from runtime.preprocessing.spec import PreprocessSpec, check_float_pixels
from toolkit.datasets._idx import check_arrays, read_arrays, read_npz
from toolkit.datasets.base import DataOptions, Dataset, DatasetSource

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from toolkit.progress import Reporter


class Npz(DatasetSource):
    """``x_train, y_train, x_test, y_test``, and optional ``labels``.

    Example::

        np.savez("shapes.npz", x_train=..., y_train=..., x_test=..., y_test=..., labels=names)
        shapes = load_dataset(DataOptions(path=Path("shapes.npz")))
    """

    name: ClassVar[str] = "npz"
    summary: ClassVar[str] = (
        "your own arrays: --data FILE.npz with x_train, y_train, x_test, y_test"
    )

    def _check(self, options: DataOptions) -> None:
        check_arrays(_file(options))

    def _load(self, options: DataOptions, reporter: Reporter) -> Dataset:
        del reporter
        path = _file(options)
        x_train, y_train, x_test, y_test = read_arrays(path)
        train, test = _pixels(x_train, "x_train"), _pixels(x_test, "x_test")
        y_train, y_test = _classes(y_train, "y_train"), _classes(y_test, "y_test")
        classes = int(max(y_train.max(), y_test.max())) + 1
        labels = _labels(path, classes) or _numbers(y_train, y_test)
        spec = PreprocessSpec(
            height=train.shape[1],
            width=train.shape[2],
            channels=train.shape[3],
            fit=options.fit or "pad",
            polarity=options.polarity or "as-is",
        )
        return Dataset(path.stem, train, y_train, test, y_test, labels, spec, str(path))


def _file(options: DataOptions) -> Path:
    if options.path is None:
        raise DataError("--dataset npz needs --data FILE.npz")
    return options.path


def _pixels(array: NDArray[Any], key: str) -> NDArray[np.uint8]:
    """Return uint8 (n, h, w, c); floats 0…1 are rounded to 0…255."""
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or len(array) == 0:
        raise DataError(f"{key} must be (n, h, w), (n, h, w, 1) or (n, h, w, 3), not {array.shape}")
    if array.dtype == np.uint8:
        pixels: NDArray[np.uint8] = array
        return pixels
    try:
        check_float_pixels(array)
    except ValueError as error:
        raise DataError(f"{key}: {error}") from error
    rounded: NDArray[np.uint8] = np.round(array * 255.0).astype(np.uint8)
    return rounded


def _classes(array: NDArray[Any], key: str) -> NDArray[np.int64]:
    """Return int64 (n,) from class indices or one-hot rows."""
    if array.ndim == 2 and array.shape[1] > 1:
        array = array.argmax(axis=1)
    if (
        array.size == 0
        or array.shape not in ((array.size,), (array.size, 1))
        or not np.issubdtype(array.dtype, np.number)
        or not np.array_equal(array, np.trunc(array))  # false for NaN
    ):
        raise DataError(f"{key} must hold one whole number or one one-hot row per image")
    return array.reshape(-1).astype(np.int64)


def _numbers(y_train: NDArray[np.int64], y_test: NDArray[np.int64]) -> tuple[str, ...]:
    """Name classes by number; a label that is out of range is no class."""
    most, tested = int(y_train.max()), int(y_test.max())
    lowest = min(int(y_train.min()), int(y_test.min()))  # below 0: reported with the dataset
    if lowest >= 0 and tested > most:
        raise DataError(
            f"y_test holds class {tested}, y_train none above {most}; if there are more classes, "
            "name them all in labels"
        )
    used = len(np.unique(y_train))
    if 2 * used <= most:
        raise DataError(
            f"y_train goes up to class {most}, but only {used} classes have images; number them "
            "from 0, or name them all in labels"
        )
    return tuple(str(index) for index in range(most + 1))


def _labels(path: Path, classes: int) -> tuple[str, ...]:
    """Return the class names in the file, or an empty tuple."""
    names = read_npz(path).get("labels") if path.is_file() else None
    if names is None:
        return ()
    if len(names) < classes:
        raise DataError(f"{path}: {len(names)} labels for {classes} classes")
    return tuple(str(name) for name in names)
