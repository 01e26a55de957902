"""The statistics of two classifiers that ran on the same images; all from scipy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from runtime.errors import MissingDependencyError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Interval = tuple[float, float]
_CONFIDENCE = 0.95


def mcnemar(reference_right: NDArray[np.bool_], artifact_right: NDArray[np.bool_]) -> float:
    """Return the exact two-sided p-value of McNemar's test for two paired classifiers.

    Source: McNemar, Psychometrika 12 (1947); exact form: a binomial test on the images
    that only one of the two classifies correctly.

    Args:
        reference_right: (n,), whether the reference is right on each image.
        artifact_right: (n,), the same of the artifact.

    Example:
        >>> import numpy as np
        >>> reference, artifact = np.ones(10, bool), np.ones(10, bool)
        >>> artifact[:6] = False  # six images that only the reference gets right: 2 / 2**6
        >>> mcnemar(reference, artifact)
        0.03125
    """
    only_reference = int((reference_right & ~artifact_right).sum())
    only_artifact = int((artifact_right & ~reference_right).sum())
    if only_reference + only_artifact == 0:
        return 1.0
    test = _scipy_stats().binomtest(only_reference, only_reference + only_artifact, 0.5)
    return float(test.pvalue)


def wilson(successes: int, images: int) -> Interval:
    """Return the 95 % Wilson interval of a share.

    Source: Wilson, JASA 22 (1927).

    Example:
        >>> low, high = wilson(98, 100)
        >>> f"{low:.3f} … {high:.3f}"
        '0.930 … 0.994'
    """
    test = _scipy_stats().binomtest(successes, images)
    interval = test.proportion_ci(_CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def paired_interval(
    reference_right: NDArray[np.bool_], artifact_right: NDArray[np.bool_]
) -> Interval:
    """Return the 95 % interval of the difference in accuracy, artifact minus reference.

    Both ran on the same images, so the interval is that of paired shares: narrower than
    two separate intervals, and of some width even if no prediction differs.

    Source: Newcombe, Statistics in Medicine 17 (1998) 2635-2650: Wilson intervals of both
    shares, squared and added, with the correlation (phi) of the two.

    Args:
        reference_right: (n,), whether the reference is right on each image.
        artifact_right: (n,), the same of the artifact.

    Example:
        >>> import numpy as np
        >>> right = np.arange(100) < 98
        >>> low, high = paired_interval(right, right)  # no prediction differs
        >>> f"{low:+.3f} … {high:+.3f}"
        '-0.036 … +0.036'
    """
    images = len(reference_right)
    artifact, reference = float(artifact_right.mean()), float(reference_right.mean())
    low_a, high_a = wilson(int(artifact_right.sum()), images)
    low_r, high_r = wilson(int(reference_right.sum()), images)
    phi = _correlation(reference_right, artifact_right)
    below = _joined(artifact - low_a, high_r - reference, phi)
    above = _joined(high_a - artifact, reference - low_r, phi)
    delta = artifact - reference
    return max(-1.0, delta - below), min(1.0, delta + above)


def unseen_drop(images: int) -> float:
    """Return the smallest drop of accuracy, 0…1, that a number of images can show.

    The exact McNemar test calls a loss significant (p < 0.05) from six images on which only
    Keras is right, even if there is none the other way round. Fewer are never significant.

    Example:
        >>> unseen_drop(1000)
        0.006
    """
    stats, lost = _scipy_stats(), 1
    while stats.binomtest(lost, lost, 0.5).pvalue >= 1 - _CONFIDENCE:
        lost += 1
    return min(1.0, lost / images)


def _joined(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(0.0, first**2 - 2 * phi * first * second + second**2))


def _correlation(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the phi coefficient; where one of the two is constant, 1 if they are equal."""
    if first.all() or second.all() or not first.any() or not second.any():
        return 1.0 if (first == second).all() else 0.0
    return float(_scipy_stats().pearsonr(first.astype(float), second.astype(float)).statistic)


def _scipy_stats() -> Any:
    try:
        from scipy import stats
    except ImportError as error:
        raise MissingDependencyError("scipy", "train", "compute statistics") from error
    return stats
