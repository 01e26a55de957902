"""The answers of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Turn (n, classes) logits into probabilities, without overflow."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return result


def margins(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the margin (n,) between the two highest of (n, classes) probabilities."""
    best = np.sort(probabilities, axis=1)
    result: NDArray[np.float32] = best[:, -1] - best[:, -2]
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a classifier answered for one image.

    Attributes:
        label: name of the most probable class.
        index: its number.
        confidence: its probability, 0…1.
        probabilities: float32 (classes,).
        labels: all class names.
        steps: what preprocessing did to the image.
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
        """Read the answer off a row of probabilities; of equal ones the first wins."""
        index = int(probabilities.argmax())
        return cls(labels[index], index, float(probabilities[index]), probabilities, labels, steps)

    def top(self, k: int = 3) -> list[tuple[str, float]]:
        """Return the ``k`` most probable classes with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]

    def to_json(self, k: int = 3) -> dict[str, Any]:
        """Return plain JSON values, with the ``k`` most probable classes."""
        top = [{"label": label, "confidence": round(p, 6)} for label, p in self.top(k)]
        return {
            "label": self.label,
            "index": self.index,
            "confidence": round(self.confidence, 6),
            "top": top,
        }
