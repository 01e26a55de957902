"""Images for choosing settings: neither trained nor calibrated on, and never test images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from toolkit.datasets.splits import train_validation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from toolkit.trained_model import TrainedModel

_SHARE, _SEED = 0.1, 0


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Validation images.

    Attributes:
        images: uint8 (n, height, width, channels).
        truth: int64 (n,).
        dataset: which images, in words.
        remark: what the user should know of them; None if nothing.

    Example::

        held_out, trained = hold_out(trained)
        print(len(held_out.truth), held_out.dataset)
    """

    images: NDArray[np.uint8]
    truth: NDArray[np.int64]
    dataset: str
    remark: str | None


def hold_out(trained: TrainedModel) -> tuple[HeldOut, TrainedModel]:
    """Return the validation images of a model, and the model without them for calibration.

    A run kept a validation split (and the copies of its images) out of the training. If no
    split is on record, a seeded tenth of the training images is set aside.

    Raises:
        DataError: there are too few images for two parts.

    Example::

        held_out, trained = hold_out(resolve(None, DataOptions()))
    """
    dataset = trained.dataset
    kept = np.setdiff1d(np.arange(len(dataset.y_train)), trained.training)
    if len(kept):
        return _part(trained, kept, "validation images", None), trained
    training, kept = train_validation(dataset, _SHARE, _SEED)
    remark = (
        f"No validation split is on record: {len(kept):,} training images (seed {_SEED}) are set "
        "aside to measure on and left out of the calibration; the model may have seen them."
    )
    part = _part(trained, kept, "training images set aside", remark)
    return part, replace(trained, training=training)


def _part(
    trained: TrainedModel, indices: NDArray[np.int64], kind: str, remark: str | None
) -> HeldOut:
    dataset = trained.dataset
    return HeldOut(
        dataset.x_train[indices], dataset.y_train[indices], f"{dataset.name} {kind}", remark
    )
