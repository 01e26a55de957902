"""What the gate reports: the sentence, the reasons, the notes."""

from dataclasses import replace

import numpy as np
import pytest

from exporters.budget import INTEGER, ParityBudget
from toolkit.parity import words
from toolkit.parity.metrics import measure

LABELS = tuple("abcd")


def outputs(images, wrong=(), margin=0.9):
    """Return probabilities for class 0, and the class in ``wrong`` for single images."""
    rows = np.full((images, 4), (1 - margin) / 4 / 1.0, np.float64)
    rows[:, 0] += margin
    for index, label in dict(wrong).items():
        rows[index] = np.roll(rows[index], label)
    return (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)


def found(images=10_000, flips=7, unsure=6, wrong_in_keras=(), truth=None):
    """Flip the first images; Keras is unsure of the first of them."""
    expected = outputs(images, dict.fromkeys(wrong_in_keras, 2))
    expected[:unsure] = [0.5, 0.45, 0.03, 0.02]
    actual = outputs(images, dict.fromkeys(wrong_in_keras, 2) | dict.fromkeys(range(flips), 1))
    return measure(expected, actual, np.zeros(images, int) if truth is None else truth, LABELS, 0.1)


def test_the_sentence_states_flips_ties_accuracy_and_chance():
    truth = np.zeros(10_000, int)
    truth[:3] = 1
    text = words.sentence("int8", found(truth=truth), INTEGER)
    assert text.startswith(
        "int8 predicts another label on 7 of 10,000 images; Keras was unsure on 6 of them "
        "(margin < 0.1); accuracy 99.97 → 99.96 % (-0.01 points, 95 % interval "
    )
    assert text.endswith("a difference that chance alone would explain (McNemar p = 1.0)")


def test_equal_outputs_get_a_short_sentence():
    text = words.sentence("onnx", found(flips=0, unsure=0), INTEGER)
    assert text == "onnx gives Keras's label on all 10,000 images; accuracy 100.00% like Keras"


@pytest.mark.parametrize(
    ("flips", "unsure", "expected"),
    [
        (1, 1, "on 1 of 10,000 images; Keras was unsure on it (margin < 0.1)"),
        (1, 0, "on 1 of 10,000 images; Keras was sure of it"),
        (5, 0, "on 5 of 10,000 images; Keras was sure of all of them"),
    ],
)
def test_one_flip_and_sure_ones(flips, unsure, expected):
    assert expected in words.sentence("x", found(flips=flips, unsure=unsure), INTEGER)


def test_a_real_drop_is_no_chance():
    text = words.sentence("x", found(flips=40, unsure=0), INTEGER)
    assert "-0.40 points" in text
    assert "more than chance would explain (McNemar p < 0.0001)" in text


def test_near_ties_do_not_count_as_flips():
    strict = ParityBudget(100, 0.9999, 1, 0.1)
    assert words.reasons(found(flips=7, unsure=6), strict) == ()
    (reason,) = words.reasons(found(flips=7, unsure=5), strict)
    assert reason.startswith("other label than Keras on 2 of 10,000 images")


@pytest.mark.parametrize(
    ("limit", "value", "words_of_it"),
    [
        ("max_abs_error", 0.1, "the largest difference of a probability is 0.9"),
        ("max_mean_error", 1e-6, "the mean difference of a probability"),
        ("max_kl", 1e-6, "the KL divergence"),
        ("min_cosine", 0.99999, "the cosine similarity"),
        ("min_sqnr", 60, "the signal to noise ratio (dB)"),
        ("max_drop", 0.1, "accuracy fell by 0.40 points (limit 0.1; McNemar p < 0.0001)"),
        ("min_agreement", 0.999, "other label than Keras on 40 of 10,000 images"),
    ],
)
def test_each_limit_gives_its_own_reason(limit, value, words_of_it):
    wide = ParityBudget(100, 0, 1, 0.1)
    numbers = found(flips=40, unsure=0)
    assert words.reasons(numbers, wide) == ()
    (reason,) = words.reasons(numbers, replace(wide, **{limit: value}))
    assert words_of_it in reason


def test_too_few_images_are_said_once_for_all_limits():
    (note,) = words.unseen(200, (0.5,))
    assert note == (
        "with 200 images a drop below 3 points cannot be seen (limit 0.5); compare on more"
    )
    (note,) = words.unseen(200, (0.5, 0.06, 0.1, 5.0, 0.5))
    assert "(limit 0.06 to 0.5)" in note
    assert words.unseen(10_000, (INTEGER.max_drop,)) == ()


def test_a_drop_that_chance_may_explain_does_not_fail_but_is_said():
    numbers = found(images=1_000, flips=4, unsure=0)
    limits = ParityBudget(0.31, 0, 1, 0.1)
    assert words.reasons(numbers, limits) == ()
    (note,) = words.notes(numbers, limits)
    assert note.startswith("the accuracy is 0.40 points lower (limit 0.31), which chance alone")


@pytest.mark.parametrize(
    ("p", "text"), [(1.0, "1.0"), (0.97, "1.0"), (0.11, "0.11"), (1e-9, "< 0.0001")]
)
def test_p_values(p, text):
    assert words.p_value(p) == text
