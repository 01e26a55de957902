"""Predictions of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Convert logits into probabilities, without overflow.

    Args:
        logits: (n, classes).

    Example:
        >>> softmax(np.array([[0, 0], [800, 0]], np.float32)).tolist()
        [[0.5, 0.5], [1.0, 0.0]]
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return result


def margins(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the difference of the two highest probabilities, (n,).

    Args:
        probabilities: (n, classes).

    Example:
        >>> margins(np.array([[0.25, 0.75, 0.0]], np.float32)).tolist()
        [0.5]
    """
    best = np.sort(probabilities, axis=1)
    result: NDArray[np.float32] = best[:, -1] - best[:, -2]
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The prediction of a classifier for one image.

    Attributes:
        label: name of the most probable class.
        index: its index.
        confidence: its probability, 0…1.
        probabilities: float32 (classes,).
        labels: all class names.
        steps: the steps of preprocessing.

    Example:
        >>> probabilities = np.array([0.25, 0.75], np.float32)
        >>> prediction = Prediction.of(probabilities, ("cat", "dog"))
        >>> prediction.label, prediction.confidence, prediction.top(1)
        ('dog', 0.75, [('dog', 0.75)])
    """

    label: str
    index: int
    confidence: float
    probabilities: NDArray[np.float32]
    labels: tuple[str, ...]
    steps: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        probabilities: NDArray[np.float32],
        labels: tuple[str, ...],
        steps: tuple[str, ...] = (),
    ) -> Prediction:
        """Build a prediction from probabilities; of equal ones the first counts.

        Args:
            probabilities: float32 (classes,).
            labels: all class names.
            steps: the steps of preprocessing.
        """
        index = int(probabilities.argmax())
        return cls(labels[index], index, float(probabilities[index]), probabilities, labels, steps)

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """Return the ``k`` most probable classes with their probabilities, highest first.

        Args:
            k: number of classes.
        """
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]

    def to_json(self, k: int = 3) -> dict[str, Any]:
        """Return plain JSON values, with the ``k`` most probable classes.

        Args:
            k: number of classes in ``top``.

        Example:
            >>> Prediction.of(np.array([0.25, 0.75], np.float32), ("cat", "dog")).to_json(1)["top"]
            [{'label': 'dog', 'confidence': 0.75}]
        """
        top = [{"label": label, "confidence": round(p, 6)} for label, p in self.top(k)]
        return {
            "label": self.label,
            "index": self.index,
            "confidence": round(self.confidence, 6),
            "top": top,
        }
