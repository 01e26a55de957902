"""Why a file fails: the likeliest cause, where the answers tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters.check import agreement
from runtime.errors import EdgeError
from toolkit.parity import audits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from runtime.model import Classifier
    from toolkit.inspection import GraphView
    from toolkit.parity.reference import Reference

_CLEARLY = 0.9  # agreement that another order of the outputs must reach
_LOOKED_AT = 500  # images that are enough to tell a cause
_DIAGNOSED = 64
_DAMAGED_DB = 15.0  # a layer that adds so little noise is not at fault


@dataclass(frozen=True, eq=False)
class Failure:
    """An artifact that failed, with what was run.

    Attributes:
        classifier: the open artifact.
        inside: its graph; None where it cannot be read.
        reference: the Keras model.
        images: uint8 (n, height, width, channels).
        expected: Keras's probabilities (n, classes).
        answers: the artifact's, in Keras's order of classes.
        budget: the limits.
    """

    classifier: Classifier
    inside: GraphView | None
    reference: Reference
    images: NDArray[np.uint8]
    expected: NDArray[np.float32]
    answers: NDArray[np.float32]
    budget: ParityBudget


def explain(failure: Failure) -> tuple[str, ...]:
    """Return the likeliest cause in words; empty where it cannot be told."""
    for find in (_permutation, input_range, _layer):
        if cause := find(failure):
            return cause
    return ()


def input_range(failure: Failure) -> tuple[str, ...]:
    """Recognise a quantized input that does not fit real images."""
    if failure.inside is None:
        return ()
    batch = failure.classifier.spec.apply(failure.images[:_LOOKED_AT])
    return audits.input_range(failure.inside, batch)


def preprocessing(failure: Failure, *, answered_wrong: bool) -> tuple[str, ...]:
    """Recognise a file that reads images otherwise; say so if arrays show that alone is wrong."""
    ours, theirs = failure.reference.spec, failure.classifier.spec
    images = failure.images[:_LOOKED_AT]
    found = audits.pixels(ours, theirs, images)
    if not (found and answered_wrong and _agrees_on_arrays(failure, images)):
        return found
    told = "on the same arrays the file agrees with Keras, on images it does not; "
    return audits.pixels(ours, theirs, images, told)


def _agrees_on_arrays(failure: Failure, images: NDArray[np.uint8]) -> bool:
    """Whether file and Keras agree when both get what one of their preprocessings makes."""
    allowed = failure.budget.allowed_flips(len(images))
    for spec in (failure.reference.spec, failure.classifier.spec):
        batch = spec.apply(images)
        expected, answers = failure.reference.predict(batch), failure.classifier.run(batch)
        if agreement(expected, answers, failure.budget.tie_margin).flips(len(images)) <= allowed:
            return True
    return False


def _permutation(failure: Failure) -> tuple[str, ...]:
    """Recognise outputs that stand in another order."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import confusion_matrix

    wanted, given = failure.expected.argmax(axis=1), failure.answers.argmax(axis=1)
    classes = range(failure.expected.shape[1])
    pairs = confusion_matrix(wanted, given, labels=list(classes))
    rows, columns = linear_sum_assignment(pairs, maximize=True)
    moved = [i for i, j in zip(rows, columns, strict=True) if i != j and pairs[i, j] > 0]
    if not moved or pairs[rows, columns].sum() < _CLEARLY * len(wanted):
        return ()
    names = failure.reference.labels
    shown = ", ".join(f"'{names[i]}' is answered as '{names[columns[i]]}'" for i in moved[:3])
    return (f"the outputs or labels stand in another order than Keras's: {shown}",)


def _layer(failure: Failure) -> tuple[str, ...]:
    """Name the layer that adds the most noise, for example by a bad calibration."""
    from toolkit.diagnosis import diagnose

    batch = failure.reference.spec.apply(failure.images[:_DIAGNOSED])
    try:
        original = failure.reference.float_view(failure.classifier.artifact.suffix)
        if failure.inside is None or original is None:
            return ()
        worst = diagnose(failure.inside, original, batch).layers[0]
    except EdgeError:
        return ()  # the graphs differ: the numbers above must do
    if worst.own_sqnr > _DAMAGED_DB and not worst.remark:
        return ()
    return (
        (
            f"layer {worst.name} adds the most error ({worst.own_sqnr:.0f} dB signal to noise): "
            f"{worst.remark or 'see toolkit diagnose'}"
        ),
    )
