"""Datasets, by name or recognised from a path; each file in this package adds one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runtime.errors import DataError
from runtime.registry import discover, pick
from toolkit.datasets.base import DataOptions, Dataset, DatasetSource
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DataOptions", "Dataset", "DatasetSource", "check_data", "load_dataset", "registry"]

DEFAULT = "mnist"
_LOG = logging.getLogger("toolkit")


def registry() -> dict[str, type[DatasetSource]]:
    """Return the dataset classes by name.

    Example:
        >>> sorted(registry())
        ['cifar10', 'digits', 'fashion-mnist', 'folder', 'mnist', 'npz']
    """
    import toolkit.datasets as package

    return discover(package, DatasetSource)  # type: ignore[type-abstract]


def load_dataset(options: DataOptions, reporter: Reporter = SILENT) -> Dataset:
    """Load a dataset.

    Args:
        options: the dataset; without a name it is recognised from the path, and
            without a path it is MNIST.
        reporter: receives the progress of downloads and slow reading.

    Raises:
        UnknownNameError: no dataset has that name.
        DataError: the data is missing or wrong.

    Example::

        digits = load_dataset(DataOptions(name="digits"))
        flowers = load_dataset(DataOptions(path=Path("flowers"), image_size=(64, 64)))
    """
    dataset = _source(options).load(options, reporter)
    _LOG.debug("dataset %s from %s", dataset.name, dataset.origin)
    return dataset


def check_data(options: DataOptions) -> None:
    """Check the name of a dataset and the headers of its files, without loading it.

    Raises:
        UnknownNameError: no dataset has that name.
        DataError: the data is missing or of another kind.

    Example:
        >>> check_data(DataOptions(name="mnits"))
        Traceback (most recent call last):
        runtime.errors.UnknownNameError: unknown dataset 'mnits'. Did you mean 'mnist'...
    """
    _source(options).check(options)


def _source(options: DataOptions) -> DatasetSource:
    name = options.name or _recognise(options.path)
    return pick(registry(), "dataset", name)()


def _recognise(path: Path | None) -> str:
    from toolkit.datasets import fashion_mnist, mnist
    from toolkit.datasets._idx import class_counts, is_idx_folder
    from toolkit.datasets.cifar10 import Cifar10, is_cifar10

    if path is None:
        return DEFAULT
    if not path.exists():
        raise DataError(f"no such file or folder: {path}")
    if is_cifar10(path):
        return Cifar10.name
    if path.is_file() or is_idx_folder(path):
        counts = class_counts(path)
        for source in (mnist.Mnist, fashion_mnist.FashionMnist):
            if counts == source.train_counts:
                return source.name
        if path.is_file():
            return "npz"
        raise DataError(f"{path}: IDX files, but neither those of MNIST nor of Fashion-MNIST")
    return "folder"
