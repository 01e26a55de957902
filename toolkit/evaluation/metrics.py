"""Accuracy, confusion matrix, precision, recall and F1, by scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import MissingDependencyError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Metrics of a classifier on a set of images.

    Attributes:
        labels: the class names.
        accuracy: share of correct predictions, 0…1.
        confusion: int64 (classes, classes); rows are the truth, columns the predictions.
        per_class: precision, recall, F1 and number of images of each class.
        averages: the same, averaged: ``macro`` and ``weighted``.
        report: scikit-learn's classification report as text.

    Example::

        evaluation = evaluate(classifier.predict_batch(images), truth, classifier.labels)
        print(evaluation.accuracy, evaluation.per_class["7"]["recall"])
    """

    labels: tuple[str, ...]
    accuracy: float
    confusion: NDArray[np.int64]
    per_class: dict[str, dict[str, float]]
    averages: dict[str, dict[str, float]]
    report: str

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "accuracy": self.accuracy,
            "images": self.images,
            "labels": list(self.labels),
            "per_class": self.per_class,
            "averages": self.averages,
            "confusion_matrix": self.confusion.tolist(),
        }


def evaluate(
    probabilities: NDArray[np.float32], truth: NDArray[np.int64], labels: tuple[str, ...]
) -> Evaluation:
    """Compare a classifier's predictions with the truth.

    Args:
        probabilities: (n, classes).
        truth: (n,) class indices.
        labels: the class names.

    Raises:
        MissingDependencyError: scikit-learn is not installed.

    Example:
        >>> scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], np.float32)
        >>> evaluate(scores, np.array([0, 1, 1]), ("off", "on")).confusion
        array([[1, 0],
               [1, 1]])
    """
    try:
        from sklearn.metrics import accuracy_score, classification_report, confusion_matrix
    except ImportError as error:
        raise MissingDependencyError("scikit-learn", "train", "compute metrics") from error
    predictions = probabilities.argmax(axis=1)
    indices = list(range(len(labels)))
    arguments: dict[str, Any] = {
        "labels": indices,
        "target_names": list(labels),
        "zero_division": 0,
    }
    table = classification_report(truth, predictions, output_dict=True, **arguments)
    return Evaluation(
        labels=labels,
        accuracy=float(accuracy_score(truth, predictions)),
        confusion=np.asarray(confusion_matrix(truth, predictions, labels=indices), np.int64),
        per_class={label: _row(table[label]) for label in labels},
        averages={kind: _row(table[f"{kind} avg"]) for kind in ("macro", "weighted")},
        report=classification_report(truth, predictions, digits=4, **arguments),
    )


def _row(values: dict[str, float]) -> dict[str, float]:
    return {
        "precision": float(values["precision"]),
        "recall": float(values["recall"]),
        "f1": float(values["f1-score"]),
        "support": int(values["support"]),
    }
