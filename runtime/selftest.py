"""Self-test of a model file on a device: does it predict what the Keras model predicts?

No dataset and no TensorFlow are needed: inputs and expected predictions are in the file.
"""

from __future__ import annotations

import logging
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
_LISTED = 3  # cases that a reason lists; the others are counted
_LOG = logging.getLogger("runtime")


@dataclass(frozen=True, slots=True)
class GoldenReport:
    """Result of the self-test.

    Attributes:
        verdict: ``pass`` or ``fail``.
        max_abs_error: largest difference of a probability; None if there is no prediction.
        agreement: share of images with Keras's label, 0…1; None if there is no prediction.
        images: number of images.
        tolerance: largest accepted difference.
        backend: the engine that ran the model.
        device: where it ran.
        reasons: why the verdict is ``fail``; empty for ``pass``.
        seconds: duration of the predictions, without opening the file.
        dataset: description of the images.

    Example::

        report = replay(classifier)
        print(report.verdict, *report.reasons)
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
    """Predict the golden inputs of an open model file, as any image is predicted.

    Args:
        classifier: an open model file.

    Returns:
        The verdict; it is ``fail``, too, if the engine fails or its outputs are not finite.

    Raises:
        ArtifactError: the file has no golden inputs, or they are damaged.

    Example::

        with runtime.load("mnist-cnn.int8.tflite") as classifier:
            print(runtime.replay(classifier).verdict)
    """
    golden = _golden(classifier.artifact)
    images = golden.pixels(classifier.spec.shape)
    start = time.perf_counter()
    try:
        predicted = classifier.predict_batch(images)
        reasons = judge(golden, predicted, classifier.labels)
    except BackendError as error:
        predicted, reasons = None, (str(error),)
    report = _report(classifier, golden, predicted, reasons, time.perf_counter() - start)
    _LOG.debug(
        "%s: %d golden inputs on %s (%s): %s",
        classifier.artifact.path,
        report.images,
        report.backend,
        report.device,
        report.verdict,
    )
    return report


def judge(golden: Golden, predicted: NDArray[np.float32], labels: Sequence[str]) -> tuple[str, ...]:
    """Compare predictions with the golden ones.

    Args:
        golden: the record.
        predicted: finite probabilities, float32 (images, classes).
        labels: the class names of the model file, in its order.

    Returns:
        The differences, one sentence each; empty if there are none.

    Example:
        >>> golden = Golden("", ((0.9, 0.1),), (0,), ("no", "yes"), 0.01, 0.05, "one image")
        >>> judge(golden, np.array([[0.9, 0.1]], np.float32), ["no", "yes"])
        ()
        >>> judge(golden, np.array([[0.4, 0.6]], np.float32), ["no", "yes"])[0]
        "another label than Keras on 1 of 1 images: image 1 is 'yes' and not 'no' ..."
    """
    found = (_names(golden, labels), _flips(golden, predicted), _errors(golden, predicted))
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
    predicted: NDArray[np.float32] | None,
    reasons: tuple[str, ...],
    seconds: float,
) -> GoldenReport:
    error = agreement = None
    if predicted is not None:
        expected = golden.expected
        error = float(np.abs(predicted - expected).max())
        agreement = float((predicted.argmax(axis=1) == expected.argmax(axis=1)).mean())
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
    """Describe the class names that differ from those of the Keras model."""
    pairs = enumerate(zip(golden.labels, labels, strict=True))
    wrong = [
        f"class {index} is '{name}' and has to be '{keras}'"
        for index, (keras, name) in pairs
        if keras != name
    ]
    return f"the class names are not the Keras model's: {_some(wrong)}" if wrong else ""


def _flips(golden: Golden, predicted: NDArray[np.float32]) -> str:
    """Describe the images that get another label, although Keras's margin is not a tie."""
    expected = golden.expected
    keras, device = expected.argmax(axis=1), predicted.argmax(axis=1)
    margin = margins(expected)
    flips = np.flatnonzero((keras != device) & (margin >= golden.tie_margin))
    cases = [
        f"image {i + 1} is '{golden.labels[device[i]]}' and not '{golden.labels[keras[i]]}' "
        f"(Keras's margin {margin[i]:.2f})"
        for i in flips
    ]
    of_all = f"{len(cases)} of {len(golden)}"
    return f"another label than Keras on {of_all} images: {_some(cases)}" if cases else ""


def _errors(golden: Golden, predicted: NDArray[np.float32]) -> str:
    """Describe the largest difference of a probability, if it is above the tolerance."""
    differences = np.abs(predicted - golden.expected)
    beyond = int((differences.max(axis=1) > golden.tolerance).sum())
    if not beyond:
        return ""
    image, index = np.unravel_index(int(differences.argmax()), differences.shape)
    return (
        f"a probability is off by {differences[image, index]:.3g} on image {image + 1} "
        f"('{golden.labels[index]}': Keras {golden.answers[image][index]:.3g}, here "
        f"{predicted[image, index]:.3g}), {golden.tolerance:.2g} is accepted; "
        f"beyond that on {beyond} of {len(golden)} images"
    )


def _some(cases: list[str]) -> str:
    rest = f" and {len(cases) - _LISTED} more" if len(cases) > _LISTED else ""
    return ", ".join(cases[:_LISTED]) + rest
