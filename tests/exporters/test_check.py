"""Agreement with the reference, and what the check before writing refuses."""

import numpy as np
import pytest

from exporters.budget import INTEGER, ParityBudget
from exporters.check import CheckImages, agreement, compare, margins
from runtime.errors import ParityError

BUDGET = ParityBudget(0.01, 0.95, 0.2, tie_margin=0.05)


def rows(*values):
    return np.array(values, np.float32)


class Engine:
    """Answers with fixed rows."""

    def __init__(self, answers):
        self.answers = answers

    def run(self, batch):
        return self.answers


class Source:
    scores = "probabilities"


class Logits:
    scores = "logits"


def check(count):
    return CheckImages(np.zeros((count, 1, 1, 1), np.float32), np.zeros(count, np.int64), "x")


def certain(count, label=0):
    return np.repeat(np.eye(2, dtype=np.float32)[[label]], count, axis=0)


def test_equal_answers_agree():
    found = agreement(certain(4), certain(4), 0.1)
    assert (found.same, found.same_or_tie, found.max_abs_error) == (1.0, 1.0, 0.0)


def test_agreement_by_hand():
    reference = rows([0.9, 0.1], [0.8, 0.2], [0.51, 0.49], [0.3, 0.7])
    answers = rows([0.6, 0.4], [0.4, 0.6], [0.49, 0.51], [0.3, 0.7])
    found = agreement(reference, answers, tie_margin=0.05)
    assert found.same == 0.5
    assert found.same_or_tie == 0.75
    assert found.max_abs_error == pytest.approx(0.4)


def test_the_largest_error_may_be_a_probability_that_is_too_high():
    found = agreement(rows([0.5, 0.3, 0.2]), rows([0.4, 0.25, 0.35]), 0.0)
    assert found.max_abs_error == pytest.approx(0.15)


def test_a_tie_counts_as_equal_only_within_the_margin():
    reference, answers = rows([0.55, 0.45]), rows([0.45, 0.55])
    assert agreement(reference, answers, 0.09).same_or_tie == 0.0
    assert agreement(reference, answers, 0.11).same_or_tie == 1.0


def test_a_good_engine_gives_the_accuracies():
    reference, answers = certain(100), certain(100)
    answers[3] = [0.1, 0.9]
    wide = ParityBudget(1, 0.9, 1, 0)
    checked = compare(Engine(answers), Source, check(100), reference, wide)
    assert checked.refusal is None
    found = checked.accuracy
    assert (found.reference, found.artifact, found.agreement) == (1.0, 0.99, 0.99)
    assert (found.dataset, found.images) == ("x", 100)


def test_other_labels_are_refused():
    answers = np.concatenate([certain(90), certain(10, 1)])
    found = compare(Engine(answers), Source, check(100), certain(100), BUDGET)
    assert "another label than Keras on 10 of 100 images (limit 9)" in found.refusal
    assert found.accuracy.artifact == 0.9


def test_bad_luck_with_few_images_is_no_refusal():
    """A file that flips 5 % shows 9 of 100 or fewer in 95 of 100 draws."""
    answers = np.concatenate([certain(91), certain(9, 1)])
    wide = ParityBudget(1, 0.95, 1, 0)
    assert compare(Engine(answers), Source, check(100), certain(100), wide).refusal is None


def test_other_probabilities_are_refused():
    answers = np.full((100, 2), [0.7, 0.3], np.float32)
    found = compare(Engine(answers), Source, check(100), certain(100), BUDGET)
    assert "differs from Keras by 0.3 (limit 0.2)" in found.refusal


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    answers = certain(10)
    answers[4, 1] = bad
    with pytest.raises(ParityError, match="not finite"):
        compare(Engine(answers), Source, check(10), certain(10), INTEGER)


def test_one_other_label_in_a_small_set_is_no_failure():
    answers = certain(20)
    answers[0] = [0.4, 0.6]
    wide = ParityBudget(1, 0.99, 1, 0)
    found = compare(Engine(answers), Source, check(20), certain(20), wide)
    assert (found.refusal, found.accuracy.agreement) == (None, 0.95)


def test_logits_are_compared_as_probabilities():
    found = compare(Engine(rows([7.0, 7.0])), Logits, check(1), rows([0.5, 0.5]), BUDGET)
    assert found.accuracy.max_abs_error == 0.0


def test_the_margin_is_between_the_two_first_classes():
    assert margins(rows([0.1, 0.6, 0.3], [0.5, 0.0, 0.5])) == pytest.approx([0.3, 0.0])


def test_the_first_images_can_be_taken():
    assert len(check(10).first(3).batch) == len(check(10).first(3).truth) == 3
