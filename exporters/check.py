"""Comparison of a converted model with the Keras model, before the file is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from runtime.errors import MissingDependencyError, ParityError
from runtime.modelfile.manifest import Accuracy
from runtime.tasks.classification import margins, softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from exporters.keras_model.source import KerasSource
    from runtime.backends import Backend


@dataclass(frozen=True, slots=True, eq=False)
class CheckImages:
    """Preprocessed test images with their labels.

    Attributes:
        batch: float32 (n, height, width, channels) in model units, classes mixed.
        truth: true labels, int64 (n,).
        dataset: description of the images, for the manifest.

    Example:
        >>> batch = np.zeros((10, 8, 8, 1), np.float32)
        >>> check = CheckImages(batch, np.arange(10), "digits test images")
        >>> check.first(4).truth.tolist()
        [0, 1, 2, 3]
    """

    batch: NDArray[np.float32]
    truth: NDArray[np.int64]
    dataset: str

    def first(self, count: int) -> CheckImages:
        """Return the first ``count`` images."""
        return CheckImages(self.batch[:count], self.truth[:count], self.dataset)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two sets of predictions for the same images.

    Attributes:
        same: share of images with the same label, 0…1.
        same_or_tie: the same, with images on which the reference is undecided counted
            as equal.
        max_abs_error: largest difference of a probability.

    Example:
        >>> Agreement(same=0.97, same_or_tie=0.98, max_abs_error=0.1).flips(200)
        4
    """

    same: float
    same_or_tie: float
    max_abs_error: float

    def flips(self, images: int) -> int:
        """Return on how many of ``images`` the label differs, without ties."""
        return round((1 - self.same_or_tie) * images)


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of the comparison before writing.

    Attributes:
        accuracy: measured accuracies, for the manifest.
        refusal: why the file fails the comparison; None if it passes.
    """

    accuracy: Accuracy
    refusal: str | None


def agreement(
    reference: NDArray[np.float32], predictions: NDArray[np.float32], tie_margin: float
) -> Agreement:
    """Compare two arrays of probabilities, both (n, classes).

    Args:
        reference: predictions of the Keras model.
        predictions: predictions of the converted model.
        tie_margin: the reference is undecided where its two highest probabilities are
            closer than this.

    Example:
        >>> reference = np.array([[0.9, 0.1], [0.51, 0.49]])
        >>> predictions = np.array([[0.8, 0.2], [0.49, 0.51]])
        >>> found = agreement(reference, predictions, tie_margin=0.05)
        >>> found.same, found.same_or_tie
        (0.5, 1.0)
    """
    same = reference.argmax(axis=1) == predictions.argmax(axis=1)
    undecided = margins(reference) < tie_margin
    return Agreement(
        same=float(same.mean()),
        same_or_tie=float((same | undecided).mean()),
        max_abs_error=float(np.abs(reference - predictions).max()),
    )


def compare(
    backend: Backend,
    source: KerasSource,
    check: CheckImages,
    reference: NDArray[np.float32],
    budget: ParityBudget,
) -> Checked:
    """Run images through an engine and compare the predictions with Keras's.

    Args:
        backend: the engine with the converted model.
        source: the Keras model.
        check: the images.
        reference: Keras's predictions for them, probabilities (n, classes).
        budget: the allowed difference.

    Returns:
        The measured accuracies, and why the file fails, if it does.

    Raises:
        ParityError: the outputs of the engine are not finite.

    Example::

        with exporter.open(draft) as backend:
            checked = compare(backend, request.source, check, reference, budget.INTEGER)
    """
    predictions = probabilities(backend, source, check.batch)
    found = agreement(reference, predictions, budget.tie_margin)
    accuracy = Accuracy(
        reference=float((reference.argmax(axis=1) == check.truth).mean()),
        artifact=float((predictions.argmax(axis=1) == check.truth).mean()),
        agreement=found.same,
        max_abs_error=found.max_abs_error,
        dataset=check.dataset,
        images=len(check.batch),
    )
    return Checked(accuracy, _refusal(found, budget, len(check.batch)))


def probabilities(
    backend: Backend, source: KerasSource, batch: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the predictions of an engine as probabilities (n, classes).

    Args:
        backend: the engine with the converted model.
        source: the Keras model; it says whether the outputs are logits.
        batch: float32 (n, height, width, channels) in model units.

    Raises:
        ParityError: the outputs are not finite.

    Example::

        with exporter.open(draft) as backend:
            labels = probabilities(backend, source, batch).argmax(axis=1)
    """
    outputs = backend.run(batch)
    if source.scores == "logits":
        outputs = softmax(outputs)
    if not np.isfinite(outputs).all():
        raise ParityError("the outputs of the converted model are not finite")
    return outputs


def _refusal(found: Agreement, budget: ParityBudget, images: int) -> str | None:
    """Return why the difference is larger than a correct conversion's, or None."""
    flips, allowed = found.flips(images), _allowed(budget, images)
    if flips > allowed:
        return (
            f"the converted model predicts another label than Keras on {flips} of {images} images "
            f"(limit {allowed})"
        )
    if found.max_abs_error > budget.max_abs_error:
        return (
            f"a probability of the converted model differs from Keras by "
            f"{found.max_abs_error:.3g} (limit {budget.max_abs_error:g})"
        )
    return None


def _allowed(budget: ParityBudget, images: int) -> int:
    """Return how many flips so few images may show by chance.

    A file that is just within the budget shows more in one of twenty draws; only the
    parity gate on all test images distinguishes the two.
    """
    try:
        from scipy.stats import binom
    except ImportError as error:
        raise MissingDependencyError("scipy", "export", "compute statistics") from error
    return max(1, int(binom.ppf(0.95, images, 1 - budget.min_agreement)))
