"""The gate of a compressed model: its files against the teacher it was distilled from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from exporters import budget
from toolkit.parity import words
from toolkit.parity.metrics import Metrics, measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULT_DROP = 0.5  # points; also what int8 may lose against its own Keras model
_KEYS = ("accuracy_delta", "accuracy_delta_interval", "mcnemar_p", "agreement")


@dataclass(frozen=True, eq=False)
class Teacher:
    """The larger network, with its outputs on the same images.

    Attributes:
        name: of its run.
        probabilities: float32 (n, classes).
        max_drop: highest loss of accuracy against it, in points; a loss that chance alone
            would explain does not count.

    Example::

        teacher = Teacher("mnist-cnn", source.predict(spec.apply(images)), max_drop=0.5)
    """

    name: str
    probabilities: NDArray[np.float32]
    max_drop: float = DEFAULT_DROP


@dataclass(frozen=True, slots=True)
class TeacherParity:
    """A file of the student against the teacher.

    Attributes:
        name: of the teacher.
        metrics: the numbers.
        reasons: what is beyond the limit; empty if nothing is.
        sentence: the comparison in words.

    Example::

        parity = against(teacher, outputs, truth, labels)
        print(parity.sentence, *parity.reasons)
    """

    name: str
    metrics: Metrics
    reasons: tuple[str, ...]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        numbers = {key: getattr(self.metrics, key) for key in _KEYS}
        accuracy = self.metrics.reference_accuracy
        return {"name": self.name, "accuracy": accuracy, **numbers, "reasons": list(self.reasons)}


def against(
    teacher: Teacher,
    outputs: NDArray[np.float32],
    truth: NDArray[np.int64],
    labels: tuple[str, ...],
) -> TeacherParity:
    """Compare a file's predictions with those of the teacher.

    Only the accuracy decides: a student may differ from its teacher on single images.

    Args:
        teacher: with its outputs.
        outputs: the file's probabilities (n, classes), in the same order of classes.
        truth: int64 (n,).
        labels: the class names.

    Example:
        >>> import numpy as np
        >>> outputs = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
        >>> against(Teacher("large", outputs), outputs, np.array([0, 1]), ("a", "b")).sentence
        'against its teacher large: same label on 100.00% of 2 images; accuracy 100.00% like its
        teacher'
    """
    limits = replace(budget.INTEGER, max_drop=teacher.max_drop)
    found = measure(teacher.probabilities, outputs, truth, labels, limits.tie_margin)
    drop = words.drop(found, limits)
    reasons = (f"against its teacher {teacher.name}: {drop}",) if drop else ()
    same = f"same label on {found.agreement:.2%} of {found.images:,} images"
    sentence = (
        f"against its teacher {teacher.name}: {same}; {words.accuracies(found, 'its teacher')}"
    )
    return TeacherParity(teacher.name, found, reasons, sentence)
