"""Calibration set: training images from which quantization ranges are computed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runtime.errors import CalibrationError
from runtime.modelfile.manifest import Calibration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.preprocessing.spec import PreprocessSpec

DEFAULT_SAMPLES = 512


@dataclass(frozen=True, slots=True)
class CalibrationOptions:
    """Options of the calibration draw.

    Attributes:
        samples: number of images; fewer if the training part is smaller.
        seed: random seed; the same seed draws the same images.

    Example:
        >>> CalibrationOptions(samples=128)
        CalibrationOptions(samples=128, seed=0)
    """

    samples: int = DEFAULT_SAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        """Validate the fields.

        Raises:
            CalibrationError: fewer than one sample, or a negative seed.
        """
        if self.seed < 0:
            raise CalibrationError(f"the seed must not be negative, not {self.seed}")
        if self.samples < 1:
            raise CalibrationError(
                f"calibration needs at least 1 image, not {self.samples}; "
                f"the default is --calibration-samples {DEFAULT_SAMPLES}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """Preprocessed calibration images with the record of the draw.

    Attributes:
        batch: float32 (n, height, width, channels) in model units.
        record: dataset, seed and digest of the indices, for the manifest.

    Example::

        calibration = draw(source, spec, CalibrationOptions(samples=128))
        print(calibration.batch.shape, calibration.record.seed)
    """

    batch: NDArray[np.float32]
    record: Calibration


@dataclass(frozen=True, slots=True, eq=False)
class TrainingImages:
    """Images that calibration may draw from: the training part only.

    Attributes:
        images: all training images of the dataset, uint8 (n, height, width, channels).
        labels: their labels, int64 (n,).
        allowed: indices into ``images`` without validation and test images, int64.
        dataset: name of the dataset.

    Example:
        >>> images = np.zeros((100, 8, 8, 1), np.uint8)
        >>> source = TrainingImages(images, np.arange(100) % 10, np.arange(80), "digits")
        >>> len(source.allowed)
        80
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    allowed: NDArray[np.int64]
    dataset: str


def draw(
    source: TrainingImages, spec: PreprocessSpec, options: CalibrationOptions
) -> CalibrationSet:
    """Draw calibration images, stratified by class.

    Args:
        source: the images to draw from.
        spec: the preprocessing of the model.
        options: number of images and seed.

    Returns:
        The preprocessed images with the record of the draw.

    Raises:
        CalibrationError: there is nothing to draw from, or all images are equal.

    Example:
        >>> from runtime.preprocessing.spec import PreprocessSpec
        >>> images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8)
        >>> source = TrainingImages(images, np.arange(20) % 2, np.arange(20), "digits")
        >>> drawn = draw(source, PreprocessSpec(8, 8, 1), CalibrationOptions(samples=4))
        >>> drawn.batch.shape, drawn.record.dataset
        ((4, 8, 8, 1), 'digits training images')
    """
    if len(source.allowed) == 0:
        raise CalibrationError("there are no training images to calibrate with")
    indices = stratified_sample(source.labels, source.allowed, options)
    images = source.images[indices]
    if len(images) > 1 and (images == images[0]).all():
        raise CalibrationError("all calibration images are equal; the ranges would be wrong")
    record = Calibration(
        dataset=f"{source.dataset} training images",
        samples=len(indices),
        seed=options.seed,
        indices_sha256=hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest(),
        method="min-max",
    )
    return CalibrationSet(spec.apply(images), record)


def stratified_sample(
    labels: NDArray[np.int64], allowed: NDArray[np.int64], options: CalibrationOptions
) -> NDArray[np.int64]:
    """Draw indices, stratified by class.

    Each class is shuffled; then the classes are taken in turn.

    Args:
        labels: class of each image.
        allowed: indices to draw from.
        options: number of images and seed.

    Returns:
        Sorted indices out of ``allowed``, at most ``options.samples``.

    Example:
        >>> labels = np.array([0] * 30 + [1] * 10)
        >>> chosen = stratified_sample(labels, np.arange(40), CalibrationOptions(samples=8))
        >>> np.bincount(labels[chosen]).tolist()
        [6, 2]
    """
    rng = np.random.default_rng(options.seed)
    shuffled = rng.permutation(allowed)
    rank = np.empty(len(shuffled), np.float64)
    for label in np.unique(labels[shuffled]):
        members = np.flatnonzero(labels[shuffled] == label)
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    chosen = shuffled[np.argsort(rank, kind="stable")[: options.samples]]
    return np.sort(chosen)
