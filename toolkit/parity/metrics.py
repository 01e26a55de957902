"""Metrics of how far the outputs of an artifact are from those of Keras."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import MissingDependencyError
from runtime.modelfile.manifest import Accuracy
from runtime.tasks.classification import margins
from toolkit.parity.statistics import Interval, mcnemar, paired_interval, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Absolute and relative tolerances of element-wise comparisons, as other tools use them.
ALLCLOSE = (1e-5, 1e-4, 1e-3)
_LEAST = 1e-6  # a probability of 0 (quantized softmax) would make the divergence infinite
_SHOWN = 100  # flips listed in JSON


@dataclass(frozen=True, slots=True)
class Flip:
    """An image on which the artifact predicts another label than Keras.

    Attributes:
        image: its index in the images that were compared.
        margin: Keras's margin between its first two classes, 0…1; small means unsure.
        expected: the label that Keras predicts.
        answer: the label that the artifact predicts.
        truth: the true label.
        near_tie: whether Keras was unsure: its margin is below the budget's ``tie_margin``.

    Example:
        >>> flip = Flip(4536, 0.048, expected="6", answer="5", truth="6", near_tie=True)
        >>> f"image {flip.image}: {flip.expected} → {flip.answer}"
        'image 4536: 6 → 5'
    """

    image: int
    margin: float
    expected: str
    answer: str
    truth: str
    near_tie: bool


@dataclass(frozen=True, slots=True)
class Metrics:
    """One artifact against Keras on the same images.

    Attributes:
        images: how many were compared.
        reference_accuracy: of Keras, 0…1.
        accuracy: of the artifact, 0…1.
        accuracy_delta: artifact minus Keras.
        accuracy_delta_interval: its 95 % interval, paired.
        mcnemar_p: p-value of the exact two-sided McNemar test: how likely chance alone makes
            the two differ this much in correct predictions.
        agreement: share of images with the same label.
        agreement_interval: its 95 % Wilson interval.
        max_abs_error: largest difference of a probability.
        mean_abs_error: mean difference of a probability.
        kl_divergence: mean Kullback-Leibler divergence from Keras's probabilities, nats.
        cosine: mean cosine similarity of the probabilities.
        sqnr_db: power of Keras's probabilities over that of the differences, dB; infinite
            if there are none.
        allclose: whether all probabilities are equal within an absolute and relative
            tolerance, by tolerance; what other tools check.
        flips: the images with another label, the surest first.

    Example::

        found = measure(expected, outputs, truth, labels, tie_margin=0.1)
        print(found.accuracy_delta, found.mcnemar_p, len(found.real_flips))
    """

    images: int
    reference_accuracy: float
    accuracy: float
    accuracy_delta: float
    accuracy_delta_interval: Interval
    mcnemar_p: float
    agreement: float
    agreement_interval: Interval
    max_abs_error: float
    mean_abs_error: float
    kl_divergence: float
    cosine: float
    sqnr_db: float
    allclose: dict[str, bool]
    flips: tuple[Flip, ...]

    @property
    def real_flips(self) -> tuple[Flip, ...]:
        """The flips on which Keras was sure.

        Example::

            sure = [flip.image for flip in found.real_flips]
        """
        return tuple(flip for flip in self.flips if not flip.near_tie)

    def as_accuracy(self, dataset: str) -> Accuracy:
        """Return what a manifest records.

        Args:
            dataset: which images, in words.

        Example::

            accuracy = found.as_accuracy("mnist test images")
        """
        return Accuracy(
            reference=self.reference_accuracy,
            artifact=self.accuracy,
            agreement=self.agreement,
            max_abs_error=self.max_abs_error,
            dataset=dataset,
            images=self.images,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values; at most 100 flips, the surest first."""
        values = asdict(self)
        del values["images"], values["reference_accuracy"]
        return values | {
            "accuracy_delta_interval": list(self.accuracy_delta_interval),
            "agreement_interval": list(self.agreement_interval),
            "sqnr_db": self.sqnr_db if math.isfinite(self.sqnr_db) else None,
            "different": len(self.flips),
            "near_ties": len(self.flips) - len(self.real_flips),
            "flips": [asdict(flip) for flip in self.flips[:_SHOWN]],
        }


def measure(
    expected: NDArray[np.float32],
    outputs: NDArray[np.float32],
    truth: NDArray[np.int64],
    labels: tuple[str, ...],
    tie_margin: float,
) -> Metrics:
    """Compare probabilities of the same images.

    Args:
        expected: Keras's, (n, classes).
        outputs: the artifact's, (n, classes), columns in the same order.
        truth: (n,) class indices.
        labels: the class names.
        tie_margin: Keras is unsure if its first two classes are closer than this.

    Example:
        >>> expected = np.array([[0.9, 0.1], [0.52, 0.48]], np.float32)
        >>> outputs = np.array([[0.9, 0.1], [0.49, 0.51]], np.float32)
        >>> found = measure(expected, outputs, np.array([0, 0]), ("cat", "dog"), 0.1)
        >>> found.accuracy, found.agreement, round(found.max_abs_error, 2)
        (0.5, 0.5, 0.03)
        >>> [(flip.image, flip.answer, flip.near_tie) for flip in found.flips]
        [(1, 'dog', True)]
    """
    labels_expected, labels_predicted = expected.argmax(axis=1), outputs.argmax(axis=1)
    reference_right, artifact_right = labels_expected == truth, labels_predicted == truth
    same = labels_expected == labels_predicted
    errors = np.abs(expected.astype(np.float64) - outputs)
    return Metrics(
        images=len(truth),
        reference_accuracy=float(reference_right.mean()),
        accuracy=float(artifact_right.mean()),
        accuracy_delta=(int(artifact_right.sum()) - int(reference_right.sum())) / len(truth),
        accuracy_delta_interval=paired_interval(reference_right, artifact_right),
        mcnemar_p=mcnemar(reference_right, artifact_right),
        agreement=float(same.mean()),
        agreement_interval=wilson(int(same.sum()), len(truth)),
        max_abs_error=float(errors.max()),
        mean_abs_error=float(errors.mean()),
        kl_divergence=_kl(expected, outputs),
        cosine=_cosine(expected, outputs),
        sqnr_db=_sqnr(expected, errors),
        allclose=allclose(expected, outputs),
        flips=_flips(expected, labels_predicted, truth, labels, tie_margin),
    )


def allclose(expected: NDArray[np.float32], outputs: NDArray[np.float32]) -> dict[str, bool]:
    """Return whether all elements are equal, by absolute and relative tolerance.

    Example:
        >>> allclose(np.array([0.5], np.float32), np.array([0.5001], np.float32))
        {'1e-05': False, '0.0001': True, '0.001': True}
    """
    return {f"{t:g}": bool(np.allclose(outputs, expected, rtol=t, atol=t)) for t in ALLCLOSE}


def _flips(
    expected: NDArray[np.float32],
    predicted: NDArray[np.int64],
    truth: NDArray[np.int64],
    labels: tuple[str, ...],
    tie_margin: float,
) -> tuple[Flip, ...]:
    by_keras, margin = expected.argmax(axis=1), margins(expected)
    different = np.flatnonzero(by_keras != predicted)
    surest = different[np.argsort(-margin[different], kind="stable")]
    return tuple(
        Flip(
            image=int(index),
            margin=float(margin[index]),
            expected=labels[by_keras[index]],
            answer=labels[predicted[index]],
            truth=labels[truth[index]],
            near_tie=bool(margin[index] < tie_margin),
        )
        for index in surest
    )


def _kl(expected: NDArray[np.float32], outputs: NDArray[np.float32]) -> float:
    from scipy.special import rel_entr

    p = np.clip(expected.astype(np.float64), _LEAST, None)
    q = np.clip(outputs.astype(np.float64), _LEAST, None)
    p /= p.sum(axis=1, keepdims=True)
    q /= q.sum(axis=1, keepdims=True)
    return float(rel_entr(p, q).sum(axis=1).mean())


def _cosine(expected: NDArray[np.float32], outputs: NDArray[np.float32]) -> float:
    try:
        from sklearn.metrics.pairwise import paired_cosine_distances
    except ImportError as error:
        raise MissingDependencyError("scikit-learn", "train", "compute metrics") from error
    return float(1.0 - paired_cosine_distances(expected, outputs).mean())


def _sqnr(expected: NDArray[np.float32], errors: NDArray[np.float64]) -> float:
    noise = float((errors**2).sum())
    signal = float((expected.astype(np.float64) ** 2).sum())
    return 10 * math.log10(signal / noise) if noise > 0 else math.inf
