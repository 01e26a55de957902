"""The self-test of a model file on a device: does it answer as the Keras model did?

No dataset and no TensorFlow are needed: the questions and the answers are in the file.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import ArtifactError, BackendError
from runtime.modelfile.golden import Golden
from runtime.tasks.classification import margins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runtime.model import Classifier
    from runtime.modelfile.artifact import Artifact

__all__ = ["Golden", "GoldenReport", "judge", "replay"]

PASS, FAIL = "pass", "fail"
_LISTED = 3  # cases that are written out in a reason; the others are counted


@dataclass(frozen=True, slots=True)
class GoldenReport:
    """The verdict of the self-test.

    Attributes:
        verdict: ``pass`` or ``fail``.
        max_abs_error: largest difference of a probability; None if there was no answer.
        agreement: share of images with Keras's label, 0…1; None if there was no answer.
        images: how many were replayed.
        tolerance: largest difference that is accepted.
        backend: the engine that answered.
        device: where it ran.
        reasons: why it is ``fail``; empty if it is not.
        seconds: that the images took, without opening the file.
        dataset: which images, in words.
    """

    verdict: str
    max_abs_error: float | None
    agreement: float | None
    images: int
    tolerance: float
    backend: str
    device: str
    reasons: tuple[str, ...]
    seconds: float
    dataset: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return fields | {"reasons": list(self.reasons)}


def replay(classifier: Classifier) -> GoldenReport:
    """Run the golden inputs of an open model file the way any image is run.

    Returns:
        The verdict; an engine that fails or answers with NaN is one, too.

    Raises:
        ArtifactError: the file holds no golden inputs, or they are damaged.
    """
    golden = _golden(classifier.artifact)
    images = golden.pixels(classifier.spec.shape)
    start = time.perf_counter()
    try:
        answers = classifier.predict_batch(images)
        reasons = judge(golden, answers, classifier.labels)
    except BackendError as error:
        answers, reasons = None, (str(error),)
    return _report(classifier, golden, answers, reasons, time.perf_counter() - start)


def judge(golden: Golden, answers: NDArray[np.float32], labels: Sequence[str]) -> tuple[str, ...]:
    """Compare answers with the golden ones.

    Args:
        golden: the record.
        answers: finite probabilities, float32 (images, classes).
        labels: the class names that a user of the model file gets, in its order.

    Returns:
        What is wrong, in words; nothing if all is well.
    """
    found = (_names(golden, labels), _flips(golden, answers), _errors(golden, answers))
    return tuple(reason for reason in found if reason)


def _golden(artifact: Artifact) -> Golden:
    manifest = artifact.manifest
    if manifest is None:
        raise ArtifactError(
            f"{artifact.path} has no manifest (another tool made it), so no golden inputs; "
            "export it with this toolkit: toolkit export, then toolkit verify --golden"
        )
    if manifest.golden is None:
        raise ArtifactError(
            f"{artifact.path} has no golden inputs; put them in where the Keras model and its "
            f"data are: toolkit verify {shlex.quote(str(artifact.path))} --golden "
            "--against MODEL"
        )
    return manifest.golden


def _report(
    classifier: Classifier,
    golden: Golden,
    answers: NDArray[np.float32] | None,
    reasons: tuple[str, ...],
    seconds: float,
) -> GoldenReport:
    error = agreement = None
    if answers is not None:
        expected = golden.expected
        error = float(np.abs(answers - expected).max())
        agreement = float((answers.argmax(axis=1) == expected.argmax(axis=1)).mean())
    return GoldenReport(
        verdict=FAIL if reasons else PASS,
        max_abs_error=error,
        agreement=agreement,
        images=len(golden),
        tolerance=golden.tolerance,
        backend=classifier.backend.name,
        device=classifier.backend.device,
        reasons=reasons,
        seconds=seconds,
        dataset=golden.dataset,
    )


def _names(golden: Golden, labels: Sequence[str]) -> str:
    """Say which class names are not those of the Keras model."""
    pairs = enumerate(zip(golden.labels, labels, strict=True))
    wrong = [
        f"class {index} is '{here}' and has to be '{keras}'"
        for index, (keras, here) in pairs
        if keras != here
    ]
    return f"the class names are not the Keras model's: {_some(wrong)}" if wrong else ""


def _flips(golden: Golden, answers: NDArray[np.float32]) -> str:
    """Say which images get another label, though Keras was not undecided."""
    expected = golden.expected
    keras, here = expected.argmax(axis=1), answers.argmax(axis=1)
    margin = margins(expected)
    flips = np.flatnonzero((keras != here) & (margin >= golden.tie_margin))
    cases = [
        f"image {i + 1} is '{golden.labels[here[i]]}' and not '{golden.labels[keras[i]]}' "
        f"(Keras's margin {margin[i]:.2f})"
        for i in flips
    ]
    of_all = f"{len(cases)} of {len(golden)}"
    return f"another label than Keras on {of_all} images: {_some(cases)}" if cases else ""


def _errors(golden: Golden, answers: NDArray[np.float32]) -> str:
    """Say where a probability is further from Keras's than accepted, and how far."""
    differences = np.abs(answers - golden.expected)
    beyond = int((differences.max(axis=1) > golden.tolerance).sum())
    if not beyond:
        return ""
    image, index = np.unravel_index(int(differences.argmax()), differences.shape)
    return (
        f"a probability is off by {differences[image, index]:.3g} on image {image + 1} "
        f"('{golden.labels[index]}': Keras {golden.answers[image][index]:.3g}, here "
        f"{answers[image, index]:.3g}), {golden.tolerance:.2g} is accepted; "
        f"beyond that on {beyond} of {len(golden)} images"
    )


def _some(cases: list[str]) -> str:
    rest = f" and {len(cases) - _LISTED} more" if len(cases) > _LISTED else ""
    return ", ".join(cases[:_LISTED]) + rest
