"""The check before a file gets its name: does it answer as Keras does?"""

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
    """Real images as the model sees them.

    Attributes:
        batch: float32 (n, height, width, channels) in model units, classes mixed.
        truth: int64 (n,).
        dataset: which images, in words.
    """

    batch: NDArray[np.float32]
    truth: NDArray[np.int64]
    dataset: str

    def first(self, count: int) -> CheckImages:
        """Return the first ``count`` images."""
        return CheckImages(self.batch[:count], self.truth[:count], self.dataset)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two sets of answers to the same images compare.

    Attributes:
        same: share of images with the same label, 0…1.
        same_or_tie: the same, with images on which the reference is undecided counted
            as equal.
        max_abs_error: largest difference of a probability.
    """

    same: float
    same_or_tie: float
    max_abs_error: float

    def flips(self, images: int) -> int:
        """Return on how many of ``images`` the label differs, ties left aside."""
        return round((1 - self.same_or_tie) * images)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check before writing found.

    Attributes:
        accuracy: goes into the manifest.
        refusal: why the file is not to be trusted, in words; None if it is near enough.
    """

    accuracy: Accuracy
    refusal: str | None


def agreement(
    reference: NDArray[np.float32], answers: NDArray[np.float32], tie_margin: float
) -> Agreement:
    """Compare two arrays of probabilities, both (n, classes).

    Args:
        reference: what Keras answers.
        answers: what the file answers.
        tie_margin: the reference is undecided where its two highest probabilities are
            closer than this.
    """
    same = reference.argmax(axis=1) == answers.argmax(axis=1)
    undecided = margins(reference) < tie_margin
    return Agreement(
        same=float(same.mean()),
        same_or_tie=float((same | undecided).mean()),
        max_abs_error=float(np.abs(reference - answers).max()),
    )


def compare(
    backend: Backend,
    source: KerasSource,
    check: CheckImages,
    reference: NDArray[np.float32],
    budget: ParityBudget,
) -> Checked:
    """Run images through an engine and compare its answers with those of Keras.

    Args:
        backend: the engine with the file.
        source: the model it was made from.
        check: the images.
        reference: what Keras answers to them, probabilities (n, classes).
        budget: how far the two may be apart.

    Returns:
        The accuracies, how far the two agree, and whether that is near enough.

    Raises:
        ParityError: the engine's answers are not finite.
    """
    answers = probabilities(backend, source, check.batch)
    found = agreement(reference, answers, budget.tie_margin)
    accuracy = Accuracy(
        reference=float((reference.argmax(axis=1) == check.truth).mean()),
        artifact=float((answers.argmax(axis=1) == check.truth).mean()),
        agreement=found.same,
        max_abs_error=found.max_abs_error,
        dataset=check.dataset,
        images=len(check.batch),
    )
    return Checked(accuracy, _refusal(found, budget, len(check.batch)))


def probabilities(
    backend: Backend, source: KerasSource, batch: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return what an engine answers, as probabilities (n, classes).

    Args:
        backend: the engine with the file.
        source: the model it was made from; tells logits from probabilities.
        batch: float32 (n, height, width, channels) in model units.

    Raises:
        ParityError: the answers are not finite.
    """
    answers = backend.run(batch)
    if source.scores == "logits":
        answers = softmax(answers)
    if not np.isfinite(answers).all():
        raise ParityError("the converted model answers with numbers that are not finite")
    return answers


def _refusal(found: Agreement, budget: ParityBudget, images: int) -> str | None:
    """Say what no correct conversion shows, or None."""
    flips, allowed = found.flips(images), _allowed(budget, images)
    if flips > allowed:
        return (
            f"the converted model gives another label than Keras on {flips} of {images} images "
            f"(limit {allowed})"
        )
    if found.max_abs_error > budget.max_abs_error:
        return (
            f"a probability of the converted model differs from Keras by "
            f"{found.max_abs_error:.3g} (limit {budget.max_abs_error:g})"
        )
    return None


def _allowed(budget: ParityBudget, images: int) -> int:
    """Return how many flips so few images may show by bad luck.

    A file that is just within the budget shows more in one of twenty draws; only the gate
    on all test images can tell the two apart.
    """
    try:
        from scipy.stats import binom
    except ImportError as error:
        raise MissingDependencyError("scipy", "export", "compute statistics") from error
    return max(1, int(binom.ppf(0.95, images, 1 - budget.min_agreement)))
