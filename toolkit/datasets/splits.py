"""Seeded, stratified splits of images: validation, calibration, test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runtime.errors import DataError
from toolkit.datasets.base import image_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.datasets.base import Dataset


def stratified(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split indices so that both parts hold the classes in the same proportion.

    A class with a single image stays in the first part.

    Args:
        labels: (n,) class of each image.
        fraction: share of the second part, between 0 and 1.
        seed: the same seed gives the same split.

    Returns:
        The sorted indices of the first (larger) and of the second part.

    Raises:
        DataError: the fraction is not between 0 and 1.

    Example:
        >>> first, second = stratified(np.repeat([0, 1], 10), fraction=0.2, seed=0)
        >>> len(first), np.bincount(np.repeat([0, 1], 10)[second])
        (16, array([2, 2]))
    """
    if not 0 < fraction < 1:
        raise DataError(f"a split fraction must lie between 0 and 1, not {fraction}")
    rng = np.random.default_rng(seed)
    second: list[NDArray[np.int64]] = []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = min(max(1, round(len(members) * fraction)), len(members) - 1)
        second.append(members[:count])
    chosen = np.sort(np.concatenate(second)) if second else np.empty(0, np.int64)
    rest = np.setdiff1d(np.arange(len(labels)), chosen)
    return rest, chosen


def train_validation(
    dataset: Dataset, fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split the training images; no image is in both parts, not even as a copy.

    Args:
        dataset: its training images are split.
        fraction: share of the validation part; 0 leaves it empty.
        seed: the same seed gives the same split.

    Returns:
        The sorted training and validation indices.

    Raises:
        DataError: too few images, or too many copies, for two parts.

    Example:
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> from toolkit.datasets import Dataset
        >>> x, y = np.arange(640, dtype=np.uint8).reshape(10, 8, 8, 1), np.repeat([0, 1], 5)
        >>> data = Dataset("tiny", x, y, x, y, ("off", "on"), PreprocessSpec(8, 8))
        >>> training, validation = train_validation(data, 0.2, seed=0)
        >>> y[validation]
        array([0, 1])
    """
    if fraction == 0:
        return np.arange(len(dataset.y_train)), np.empty(0, np.int64)
    train, validation = stratified(dataset.y_train, fraction, seed)
    if len(validation) == 0:
        raise DataError("too few images for a validation split; use --validation-split 0")
    hashes = image_hashes(dataset.x_train)
    train = train[~np.isin(hashes[train], hashes[validation])]
    if len(train) == 0:
        raise DataError(f"{dataset.name}: all training images are copies of the same few")
    return train, validation
