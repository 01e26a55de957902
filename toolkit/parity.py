"""Parity: does an artifact, in its real engine, answer as the Keras model did?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from exporters import budget as budgets
from exporters import formats
from exporters.check import Agreement, agreement
from runtime.backends import AUTO, BackendOptions
from runtime.classifier import Classifier, from_artifact
from runtime.errors import (
    BackendError,
    DeviceUnavailableError,
    InputError,
    MissingDependencyError,
)
from runtime.quiet import silenced
from toolkit.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from runtime.artifact import Artifact

PASS, FAIL, REFUSED = "pass", "fail", "refused"
_SIGNIFICANT = 0.05  # a drop of accuracy with a higher McNemar p may be chance
_CHUNK = 100  # images between two steps of the progress bar


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artifact in an engine.

    Attributes:
        artifact: the model file.
        backend: the engine's name, or ``auto``.
        options: device and threads.
    """

    artifact: Artifact
    backend: str = AUTO
    options: BackendOptions = BackendOptions()


@dataclass(frozen=True, slots=True)
class ArtifactParity:
    """The verdict on one artifact in one engine.

    Attributes:
        format: of the artifact.
        path: of the artifact.
        backend: the engine that ran it.
        verdict: ``pass``, ``fail``, or ``refused`` (the engine does not take the file).
        reasons: why it is not ``pass``; empty if it is.
        accuracy: share of right answers, 0…1; None if refused.
        accuracy_delta: artifact minus Keras.
        agreement: share of images with the same label as Keras.
        max_abs_error: largest difference of a probability.
        mcnemar_p: exact two-sided McNemar test: how likely chance alone makes the two
            differ in right answers this much.
    """

    format: str
    path: str
    backend: str
    verdict: str
    reasons: tuple[str, ...]
    accuracy: float | None = None
    accuracy_delta: float | None = None
    agreement: float | None = None
    max_abs_error: float | None = None
    mcnemar_p: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return fields | {"reasons": list(self.reasons)}


@dataclass(frozen=True, slots=True)
class ParityReport:
    """All verdicts.

    Attributes:
        verdict: ``pass`` if every artifact passes in at least one engine and none fails.
        reference_accuracy: of the Keras model, 0…1.
        images: how many were compared.
        artifacts: one entry an artifact and engine.
    """

    verdict: str
    reference_accuracy: float
    images: int
    artifacts: tuple[ArtifactParity, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "verdict": self.verdict,
            "images": self.images,
            "reference": {"accuracy": self.reference_accuracy},
            "artifacts": [entry.to_json() for entry in self.artifacts],
        }


def budget_for(format_name: str) -> ParityBudget:
    """Return the budget of a format; a file of unknown format gets that of int8."""
    exporter = formats.registry().get(format_name)
    return exporter.budget if exporter else budgets.INTEGER


def compare(
    reference: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    candidates: Sequence[Candidate],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    budget: ParityBudget | None = None,
    reporter: Reporter = SILENT,
) -> ParityReport:
    """Run the same images through Keras and through each artifact in its real engine.

    Args:
        reference: returns the Keras model's probabilities (n, classes) for images.
        candidates: what to judge.
        images: uint8 (n, height, width, channels).
        labels: int64 (n,), the truth.
        budget: the limits for all; None takes those of each format.
        reporter: shows progress.

    Returns:
        One verdict each, and one for all.

    Raises:
        InputError: no images or no candidates.
    """
    if len(images) == 0 or not candidates:
        raise InputError("nothing to compare: no images or no artifacts")
    expected = reference(images)
    entries = tuple(_judge(c, expected, images, labels, budget, reporter) for c in candidates)
    return ParityReport(
        verdict=_overall(entries),
        reference_accuracy=_accuracy(expected, labels),
        images=len(images),
        artifacts=entries,
    )


def _judge(
    candidate: Candidate,
    expected: NDArray[np.float32],
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    budget: ParityBudget | None,
    reporter: Reporter,
) -> ArtifactParity:
    artifact = candidate.artifact
    name = artifact.manifest.format if artifact.manifest else "unknown"
    unjudged = ArtifactParity(name, str(artifact.path), candidate.backend, REFUSED, ())
    try:
        with silenced():
            classifier = from_artifact(artifact, candidate.backend, candidate.options)
    except (MissingDependencyError, DeviceUnavailableError):
        raise
    except BackendError as error:
        return replace(unjudged, reasons=(str(error),))
    unjudged = replace(unjudged, backend=classifier.backend.name, verdict=FAIL)
    with classifier:
        if not classifier.spec.matches(images) or len(classifier.labels) != expected.shape[1]:
            reason = (
                f"made for other data: {classifier.spec.shape}, {len(classifier.labels)} classes"
            )
            return replace(unjudged, reasons=(reason,))
        try:
            answers = _answers(classifier, images, reporter)
        except BackendError as error:
            return replace(unjudged, reasons=(str(error),))
    return _verdict(unjudged, expected, answers, labels, budget or budget_for(name))


def _answers(
    classifier: Classifier, images: NDArray[np.uint8], reporter: Reporter
) -> NDArray[np.float32]:
    title = f"{classifier.artifact.path.name} on {classifier.backend.name}"
    parts = []
    with reporter.task(title, len(images)) as tick:
        for start in range(0, len(images), _CHUNK):
            parts.append(classifier.predict_batch(images[start : start + _CHUNK]))
            tick(len(parts[-1]))
    return np.concatenate(parts)


def _verdict(
    unjudged: ArtifactParity,
    expected: NDArray[np.float32],
    answers: NDArray[np.float32],
    labels: NDArray[np.int64],
    limits: ParityBudget,
) -> ArtifactParity:
    found = agreement(expected, answers, limits.tie_margin)
    accuracy = _accuracy(answers, labels)
    delta = accuracy - _accuracy(expected, labels)
    chance = mcnemar(expected.argmax(1) == labels, answers.argmax(1) == labels)
    drop = -delta if chance < _SIGNIFICANT else 0.0
    reasons = _reasons(found, drop, limits, len(labels))
    return replace(
        unjudged,
        verdict=FAIL if reasons else PASS,
        reasons=reasons,
        accuracy=accuracy,
        accuracy_delta=delta,
        agreement=found.same,
        max_abs_error=found.max_abs_error,
        mcnemar_p=chance,
    )


def _reasons(found: Agreement, drop: float, limits: ParityBudget, images: int) -> tuple[str, ...]:
    """Return what is beyond the limits, in words."""
    reasons: list[str] = []
    if drop > limits.max_accuracy_drop:
        reasons.append(f"accuracy fell by {drop:.2%} (limit {limits.max_accuracy_drop:.2%})")
    flips, allowed = found.flips(images), limits.allowed_flips(images)
    if flips > allowed:
        reasons.append(
            f"other label than Keras on {flips:,} of {images:,} images, near ties left aside "
            f"(limit {allowed:,})"
        )
    if found.max_abs_error > limits.max_abs_error:
        reasons.append(
            f"a probability differs by {found.max_abs_error:.3g} (limit {limits.max_abs_error:g})"
        )
    return tuple(reasons)


def mcnemar(reference_right: NDArray[np.bool_], artifact_right: NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value of McNemar's test for two paired classifiers.

    Source: McNemar, Psychometrika 12 (1947); exact form: a binomial test on the images
    that only one of the two answers rightly.
    """
    try:
        from scipy.stats import binomtest
    except ImportError as error:
        raise MissingDependencyError("scipy", "train", "compute statistics") from error
    only_reference = int((reference_right & ~artifact_right).sum())
    only_artifact = int((artifact_right & ~reference_right).sum())
    if only_reference + only_artifact == 0:
        return 1.0
    return float(binomtest(only_reference, only_reference + only_artifact, 0.5).pvalue)


def _accuracy(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    return float((scores.argmax(axis=1) == labels).mean())


def _overall(entries: tuple[ArtifactParity, ...]) -> str:
    """Fail if an artifact fails somewhere, or is refused everywhere."""
    passed = {entry.path for entry in entries if entry.verdict == PASS}
    failed = any(entry.verdict == FAIL for entry in entries)
    return FAIL if failed or any(entry.path not in passed for entry in entries) else PASS
