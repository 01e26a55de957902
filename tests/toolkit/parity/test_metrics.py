"""The numbers of the gate, by hand on small arrays."""

import math

import numpy as np
import pytest
from scipy.stats import entropy

from toolkit.parity.metrics import measure

LABELS = ("cat", "dog", "owl")
EXPECTED = np.array(
    [[0.8, 0.1, 0.1], [0.5, 0.46, 0.04], [0.1, 0.2, 0.7], [0.0, 1.0, 0.0]], np.float32
)
ANSWERS = np.array(
    [[0.1, 0.8, 0.1], [0.46, 0.5, 0.04], [0.1, 0.2, 0.7], [0.0, 1.0, 0.0]], np.float32
)
TRUTH = np.array([0, 1, 2, 1])


@pytest.fixture
def found():
    return measure(EXPECTED, ANSWERS, TRUTH, LABELS, 0.1)


def test_accuracy_and_agreement(found):
    assert (found.reference_accuracy, found.accuracy, found.accuracy_delta) == (0.75, 0.75, 0.0)
    assert found.agreement == 0.5
    assert found.agreement_interval[0] < 0.5 < found.agreement_interval[1]
    assert found.mcnemar_p == 1.0


def test_flips_come_surest_first_with_names(found):
    first, second = found.flips
    assert (first.image, first.expected, first.answer, first.truth) == (0, "cat", "dog", "cat")
    assert first.margin == pytest.approx(0.7)
    assert (second.image, second.near_tie) == (1, True)
    assert found.real_flips == (first,)


def test_errors(found):
    assert found.max_abs_error == pytest.approx(0.7)
    assert found.mean_abs_error == pytest.approx((1.4 + 0.08) / 12)
    noise, signal = 2 * 0.7**2 + 2 * 0.04**2, (EXPECTED.astype(float) ** 2).sum()
    assert found.sqnr_db == pytest.approx(10 * math.log10(signal / noise), rel=1e-5)


def test_divergence_and_cosine(found):
    kl = np.mean([entropy(p, q) for p, q in zip(EXPECTED[:3], ANSWERS[:3], strict=True)] + [0.0])
    assert found.kl_divergence == pytest.approx(kl, rel=1e-3)
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for a, b in zip(EXPECTED, ANSWERS, strict=True)
    ]
    assert found.cosine == pytest.approx(np.mean(cosines), rel=1e-5)


def test_the_divergence_is_that_of_the_file_from_keras():
    """In EXPECTED and ANSWERS it is the same either way round."""
    given = np.array(
        [[0.1, 0.3, 0.6], [0.2, 0.2, 0.6], [0.1, 0.2, 0.7], [0.3, 0.6, 0.1]], np.float32
    )
    wanted = np.mean([entropy(p, q) for p, q in zip(EXPECTED, given, strict=True)])
    found = measure(EXPECTED, given, TRUTH, LABELS, 0.1)
    assert found.kl_divergence == pytest.approx(wanted, rel=1e-3)


def test_a_probability_of_zero_does_not_make_the_divergence_infinite():
    given = np.array([[1.0, 0.0, 0.0]] * 4, np.float32)
    assert math.isfinite(measure(EXPECTED, given, TRUTH, LABELS, 0.1).kl_divergence)


def test_equal_answers_have_no_noise_and_plain_json():
    found = measure(EXPECTED, EXPECTED, TRUTH, LABELS, 0.1)
    assert found.sqnr_db == math.inf
    record = found.to_json()
    assert record["sqnr_db"] is None
    assert record["flips"] == []
    assert record["allclose"] == {"1e-05": True, "0.0001": True, "0.001": True}


def test_allclose_is_what_other_tools_ask():
    given = EXPECTED + np.array([[5e-4, -5e-4, 0]], np.float32)
    assert measure(EXPECTED, given, TRUTH, LABELS, 0.1).allclose == {
        "1e-05": False,
        "0.0001": False,
        "0.001": True,
    }


def test_json_lists_a_hundred_flips_and_counts_all():
    expected = np.tile(EXPECTED[:1], (300, 1))
    found = measure(expected, np.roll(expected, 1, axis=1), np.zeros(300, int), LABELS, 0.1)
    record = found.to_json()
    assert (len(record["flips"]), record["different"], record["near_ties"]) == (100, 300, 0)
