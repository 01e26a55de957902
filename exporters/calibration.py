"""The calibration set: training images that decide the quantization ranges."""

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
    """How calibration images are drawn.

    Attributes:
        samples: how many; fewer if the training part is smaller.
        seed: the same seed draws the same images.
    """

    samples: int = DEFAULT_SAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the fields.

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
    """Images as the model sees them, and the record of how they were drawn.

    Attributes:
        batch: float32 (n, height, width, channels) in model units.
        record: goes into the manifest.
    """

    batch: NDArray[np.float32]
    record: Calibration


@dataclass(frozen=True, slots=True, eq=False)
class TrainingImages:
    """The images that calibration may draw from: the training part, nothing else.

    Attributes:
        images: uint8 (n, height, width, channels), all training images of the dataset.
        labels: int64 (n,).
        allowed: int64, indices into ``images`` that are neither validation nor test.
        dataset: its name.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    allowed: NDArray[np.int64]
    dataset: str


def draw(
    source: TrainingImages, spec: PreprocessSpec, options: CalibrationOptions
) -> CalibrationSet:
    """Draw images so that every class has its share.

    Args:
        source: what may be drawn.
        spec: the model's preprocessing.
        options: how many, and the seed.

    Returns:
        The images in model units, with the record of the draw.

    Raises:
        CalibrationError: there is nothing to draw from, or all images are equal.
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
    """Choose indices: shuffled within each class, then taken from the classes in turn.

    Returns:
        Sorted indices out of ``allowed``, at most ``options.samples``.
    """
    rng = np.random.default_rng(options.seed)
    shuffled = rng.permutation(allowed)
    rank = np.empty(len(shuffled), np.float64)
    for label in np.unique(labels[shuffled]):
        members = np.flatnonzero(labels[shuffled] == label)
        rank[members] = (np.arange(len(members)) + 0.5) / len(members)
    chosen = shuffled[np.argsort(rank, kind="stable")[: options.samples]]
    return np.sort(chosen)
