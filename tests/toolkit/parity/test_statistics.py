"""The statistics of the gate: against scipy's distributions, by hand, by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from toolkit.parity.statistics import mcnemar, paired_interval, unseen_drop, wilson


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (0, 5), (3, 9), (10, 10), (25, 4)])
def test_mcnemar_is_the_exact_binomial_test(b, c):
    """Twice the smaller tail of Binomial(b + c, 1/2), at most 1."""
    reference = np.array([True] * b + [False] * c + [True] * 7 + [False] * 3)
    artifact = np.array([False] * b + [True] * c + [True] * 7 + [False] * 3)
    expected = min(1.0, 2 * binom.cdf(min(b, c), b + c, 0.5)) if b + c else 1.0
    assert mcnemar(reference, artifact) == pytest.approx(expected)


def test_mcnemar_by_hand():
    """Six images only Keras answers rightly, none only the file: 2 / 2**6."""
    assert mcnemar(np.ones(6, bool), np.zeros(6, bool)) == pytest.approx(2 / 64)


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 10), (9_996, 10_000), (3, 7)])
def test_wilson_is_the_score_interval(k, n):
    """Wilson's limits are where the score test has z = 1.96."""
    z = norm.ppf(0.975)
    for limit, certain in zip(wilson(k, n), (0.0, 1.0), strict=True):
        if limit != certain:
            assert abs(k / n - limit) == pytest.approx(z * np.sqrt(limit * (1 - limit) / n))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_the_paired_interval_holds_the_difference_and_turns_with_the_pair(pairs):
    reference, artifact = (np.array(column) for column in zip(*pairs, strict=True))
    low, high = paired_interval(reference, artifact)
    assert -1.0 <= low <= artifact.mean() - reference.mean() <= high <= 1.0
    assert paired_interval(artifact, reference) == pytest.approx((-high, -low))


def test_the_paired_interval_covers_the_true_difference():
    """Of 400 simulated pairs of classifiers, about 95 % of the intervals hold -2 points."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        kind = rng.choice(
            ["both", "reference", "artifact", "none"], 600, p=[0.91, 0.05, 0.03, 0.01]
        )
        reference = (kind == "both") | (kind == "reference")
        artifact = (kind == "both") | (kind == "artifact")
        low, high = paired_interval(reference, artifact)
        covered += low <= -0.02 <= high
    assert 0.92 <= covered / 400 <= 0.985


def test_equal_answers_still_leave_an_interval():
    right = np.array([True] * 190 + [False] * 10)
    low, high = paired_interval(right, right)
    assert low < 0.0 < high
    assert high - low < 0.05


@pytest.mark.parametrize("images", [100, 200, 10_000])
def test_the_least_drop_that_can_be_seen_is_one_that_mcnemar_rejects(images):
    lost = round(unseen_drop(images) * images)
    right = np.ones(images, bool)
    for count, seen in ((lost, True), (lost - 1, False)):
        wrong = right.copy()
        wrong[:count] = False
        assert (mcnemar(right, wrong) < 0.05) is seen


def test_two_hundred_images_cannot_show_a_drop_below_three_points():
    assert unseen_drop(200) == pytest.approx(0.03)
    assert unseen_drop(3) == 1.0
