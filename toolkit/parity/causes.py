"""Why a file fails: the likeliest cause, if its outputs show one."""

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
_IMAGES = 500  # enough to recognise a cause
_DIAGNOSED = 64
_DAMAGED_DB = 15.0  # a layer that adds so little noise is not at fault


@dataclass(frozen=True, eq=False)
class Failure:
    """An artifact that failed, with what was run.

    Attributes:
        classifier: the open artifact.
        graph: its layers and weights; None if it cannot be read.
        reference: the Keras model.
        images: uint8 (n, height, width, channels).
        expected: Keras's probabilities (n, classes).
        outputs: those of the artifact, in Keras's order of classes.
        budget: the limits.

    Example::

        failure = Failure(
            classifier, view(file.data, file.suffix), reference, images, expected, outputs, budget
        )
        print(*explain(failure))
    """

    classifier: Classifier
    graph: GraphView | None
    reference: Reference
    images: NDArray[np.uint8]
    expected: NDArray[np.float32]
    outputs: NDArray[np.float32]
    budget: ParityBudget


def explain(failure: Failure) -> tuple[str, ...]:
    """Return the likeliest cause in words; empty if none is recognised.

    Example::

        for cause in explain(failure):
            print(cause)  # layer conv2d adds the most error …
    """
    for find in (_permutation, input_range, _layer):
        if cause := find(failure):
            return cause
    return ()


def input_range(failure: Failure) -> tuple[str, ...]:
    """Recognise a quantized input that does not fit real images.

    Example::

        for cause in input_range(failure):
            print(cause)  # real images use only 10% of the quantized input's range: …
    """
    if failure.graph is None:
        return ()
    batch = failure.classifier.spec.apply(failure.images[:_IMAGES])
    return audits.input_range(failure.graph, batch)


def preprocessing(failure: Failure, *, over_budget: bool) -> tuple[str, ...]:
    """Recognise a file that preprocesses images differently.

    Args:
        failure: the artifact and what was run.
        over_budget: whether its outputs are beyond the limits. The text then states if the
            preprocessing alone is the cause: on equal arrays, file and Keras agree.

    Example::

        causes = preprocessing(failure, over_budget=bool(words.reasons(found, budget)))
    """
    ours, theirs = failure.reference.spec, failure.classifier.spec
    images = failure.images[:_IMAGES]
    found = audits.pixels(ours, theirs, images)
    if not (found and over_budget and _agrees_on_arrays(failure, images)):
        return found
    evidence = "on the same arrays the file agrees with Keras, on images it does not; "
    return audits.pixels(ours, theirs, images, evidence)


def _agrees_on_arrays(failure: Failure, images: NDArray[np.uint8]) -> bool:
    """Whether file and Keras agree on the same arrays, made by one of the two preprocessings."""
    allowed = failure.budget.allowed_flips(len(images))
    for spec in (failure.reference.spec, failure.classifier.spec):
        batch = spec.apply(images)
        expected, outputs = failure.reference.predict(batch), failure.classifier.run(batch)
        if agreement(expected, outputs, failure.budget.tie_margin).flips(len(images)) <= allowed:
            return True
    return False


def _permutation(failure: Failure) -> tuple[str, ...]:
    """Recognise outputs in another order."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import confusion_matrix

    expected, predicted = failure.expected.argmax(axis=1), failure.outputs.argmax(axis=1)
    classes = range(failure.expected.shape[1])
    pairs = confusion_matrix(expected, predicted, labels=list(classes))
    rows, columns = linear_sum_assignment(pairs, maximize=True)
    moved = [i for i, j in zip(rows, columns, strict=True) if i != j and pairs[i, j] > 0]
    if not moved or pairs[rows, columns].sum() < _CLEARLY * len(expected):
        return ()
    names = failure.reference.labels
    shown = ", ".join(f"'{names[i]}' is predicted as '{names[columns[i]]}'" for i in moved[:3])
    return (f"the outputs or labels are in another order than Keras's: {shown}",)


def _layer(failure: Failure) -> tuple[str, ...]:
    """Name the layer that adds the most noise, for example after a bad calibration."""
    from toolkit.diagnosis import diagnose

    batch = failure.reference.spec.apply(failure.images[:_DIAGNOSED])
    try:
        original = failure.reference.float_view(failure.classifier.artifact.suffix)
        if failure.graph is None or original is None:
            return ()
        worst = diagnose(failure.graph, original, batch).layers[0]
    except EdgeError:
        return ()  # the graphs differ: only the metrics remain
    if worst.own_sqnr > _DAMAGED_DB and not worst.remark:
        return ()
    return (
        (
            f"layer {worst.name} adds the most error ({worst.own_sqnr:.0f} dB signal to noise): "
            f"{worst.remark or 'see toolkit diagnose'}"
        ),
    )
