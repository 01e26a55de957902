"""Rules over the history of a training, and what the loop does when they fire."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InputError
from toolkit.datasets import DataOptions
from toolkit.runs.listing import list_runs
from toolkit.runs.run import open_run
from toolkit.training import loop, monitor, schedules, train
from toolkit.training.monitor import TrainingFailedError
from toolkit.training.options import TrainOptions

pytestmark = pytest.mark.usefixtures("no_plots")
DIGITS = DataOptions(name="digits")
FAST = TrainOptions(architecture="small_network:build", epochs=3, limit=150, seed=3)


losses = st.floats(0.001, 20)
shares = st.floats(0, 1)
rows = st.fixed_dictionaries(
    {"loss": losses, "accuracy": shares, "val_loss": losses, "val_accuracy": shares},
    optional={},
).map(lambda row: row | {"learning_rate": 0.001, "seconds": 1.0})
histories = st.lists(rows, min_size=1, max_size=20)


@given(loss=st.floats(0, 1000), reference=st.floats(2, 100))
def test_a_loss_within_a_thousand_times_the_first_is_no_divergence(loss, reference):
    assert not monitor.diverged(loss, reference)


@given(st.sampled_from([math.nan, math.inf, -math.inf]) | st.floats(1e5 + 1, 1e30))
def test_a_loss_that_is_no_number_or_huge_is_divergence(loss):
    assert monitor.diverged(loss, 100)


@given(share=st.floats(0.001, 0.999))
def test_the_most_frequent_class_alone_is_near_chance_and_all_right_is_not(share):
    assert monitor.near_chance(share, share)
    assert not monitor.near_chance(1.0, share)


@given(history=histories, share=st.floats(0.01, 0.9))
def test_a_remark_of_one_kind_comes_once(history, share):
    said = [
        text
        for count in range(1, len(history) + 1)
        for text in monitor.remarks(history[:count], share, 20)
    ]
    assert sum("overfitting" in text for text in said) <= 1
    assert sum("near chance" in text for text in said) <= 1
    assert not any("\n" in text for text in said)


@given(histories)
def test_overfitting_begins_at_the_lowest_validation_loss(history):
    since = monitor.overfits_since(history)
    if since is not None:
        assert history[since - 1]["val_loss"] == min(row["val_loss"] for row in history)
        assert len(history) - since >= 3
        assert history[-1]["val_loss"] > history[since - 1]["val_loss"]
        assert history[-1]["loss"] < history[since - 1]["loss"]


@given(histories)
def test_without_validation_nothing_is_called_overfitting(history):
    plain = [{k: v for k, v in row.items() if not k.startswith("val_")} for row in history]
    assert monitor.overfits_since(plain) is None


@given(st.lists(losses, min_size=1, max_size=20))
def test_a_validation_loss_that_falls_is_never_overfitting(values):
    falling = [
        {"loss": 1.0, "val_loss": value, "val_accuracy": 0.5}
        for value in sorted(values, reverse=True)
    ]
    assert monitor.overfits_since(falling) is None


def history(val_losses, val_accuracies):
    return [
        {
            "loss": 1 / n,
            "accuracy": 0.9,
            "val_loss": loss,
            "val_accuracy": accuracy,
            "learning_rate": 0.001,
            "seconds": 1.0,
        }
        for n, (loss, accuracy) in enumerate(zip(val_losses, val_accuracies, strict=True), 1)
    ]


def test_overfitting_is_dated():
    assert monitor.overfits_since(history([1, 0.5, 0.6, 0.7, 0.8], [0.6, 0.8, 0.8, 0.7, 0.7])) == 2


def test_a_network_that_still_gets_more_accurate_does_not_overfit():
    rising = history([1, 0.5, 0.6, 0.7, 0.8], [0.6, 0.8, 0.8, 0.8, 0.81])
    assert monitor.overfits_since(rising) is None


def test_one_lucky_epoch_is_no_excuse():
    losses = [1, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert monitor.overfits_since(history(losses, [0.6, 0.8, 0.81, 0.7, 0.7, 0.7])) == 2


@pytest.mark.parametrize(("rate", "word", "other"), [(0.5, "high", "0.05"), (1e-6, "low", "1e-05")])
def test_a_stalled_training_blames_an_unusual_rate_first(rate, word, other):
    stalled = [row | {"learning_rate": rate} for row in history([2.3] * 3, [0.1] * 3)]
    (text,) = monitor.remarks(stalled, 0.1, 10)
    assert f"Likely causes: a learning rate of {rate:g}, which is {word} (try {other})" in text


def test_a_training_that_was_good_and_is_near_chance_now_has_collapsed():
    rows = history([1, 2.3, 2.3, 2.3], [0.6, 0.1, 0.1, 0.1])
    text = monitor.remarks([row | {"learning_rate": 0.6} for row in rows], 0.1, 10)[0]
    assert "collapsed: the accuracy fell from 60.0% to 10.0%" in text
    assert "0.6, which is too high (try 0.06)" in text


def test_a_long_training_is_told_what_is_faster():
    slow = [history([1], [0.5])[0] | {"seconds": 100.0}]
    (text,) = monitor.remarks(slow, 0.1, 30, faster=True)
    assert "about 48 minutes are left. --precision auto" in text
    (text,) = monitor.remarks(slow, 0.1, 30)
    assert "--precision" not in text
    assert monitor.remarks(slow, 0.1, 3) == []


def test_an_evaluation_near_chance_names_the_likely_causes():
    assert monitor.low_accuracy(0.3, 0.1) is None
    assert "--polarity" in monitor.low_accuracy(0.11, 0.1)


def test_a_network_in_16_bit_is_told_to_try_32():
    error = monitor.divergence(math.nan, "in step 1 of epoch 1", 0.01, mixed=True)
    assert "--learning-rate 0.001 and --precision float32" in str(error)
    assert "--precision" not in str(monitor.divergence(math.inf, "", 0.01, mixed=False))


def test_a_rate_of_a_million_stops_in_the_second_step_and_leaves_nothing(tmp_path, new_recorder):
    recorder = new_recorder()
    with pytest.raises(TrainingFailedError) as raised:
        train.train(replace(FAST, learning_rate=1e6), DIGITS, tmp_path, recorder)
    text = str(raised.value)
    assert "in step 2 of epoch 1, at learning rate 1e+06" in text
    assert "Try --learning-rate 100000" in text
    assert "nothing is kept" in text
    assert recorder.ticks == 1
    assert not list(tmp_path.iterdir())
    assert raised.value.exit_code == 1


def test_after_a_good_epoch_its_weights_are_kept(tmp_path, monkeypatch, new_recorder):
    """The rate explodes after the first epoch."""
    import keras

    monkeypatch.setattr(TrainOptions, "rule", lambda self: _Rule())
    monkeypatch.setattr(schedules, "to_json", lambda rule: {"kind": "none"})
    recorder = new_recorder()
    with pytest.raises(TrainingFailedError, match="weights of epoch 1 are kept") as raised:
        train.train(FAST, DIGITS, tmp_path, recorder)
    (partial,) = tmp_path.glob("*.partial")
    best = partial / "checkpoint" / "best.keras"
    assert f"--from {best}" in str(raised.value)
    assert len(recorder.rows) == 1
    advice = f"toolkit train --from {best} --dataset digits"
    (row,) = list_runs(tmp_path)
    assert row.problem == advice  # to resume would fail again
    with pytest.raises(InputError, match=f"go on with: {re.escape(advice)}$"):
        open_run(partial)
    weights = keras.models.load_model(best).get_weights()
    assert all(np.isfinite(value).all() for value in weights)


class _Rule:
    def update(self, value, rate):
        return 1e6


def test_the_command_ends_in_one_line_with_exit_code_1(toolkit_cli, tmp_path):
    arguments = ("--dataset", "digits", "--limit", 150, "--padding", "valid", "--out", tmp_path)
    result = toolkit_cli("train", *arguments, "--learning-rate", 1e6)
    assert result.exit_code == 1
    assert "Error: the loss" in result.stderr
    assert "Traceback" not in result.stderr


def own(tmp_path, digits, count, labels):
    path = tmp_path / "own.npz"
    arrays = {"x_train": digits.x_train[:count], "y_train": labels}
    np.savez(path, **arrays, x_test=digits.x_test, y_test=digits.y_test)
    return DataOptions(path=path)


@pytest.mark.slow
def test_shuffled_labels_are_named_as_the_likely_cause(tmp_path, digits, rng, new_recorder):
    data = own(tmp_path, digits, 600, rng.permutation(digits.y_train[:600]))
    recorder = new_recorder()
    options = TrainOptions(epochs=4, padding="valid", validation_split=0.3)
    train.train(options, data, tmp_path / "runs", recorder)
    (text,) = [text for text in recorder.said if "near chance" in text]
    assert "labels that do not belong to their images" in text


@pytest.mark.slow
def test_a_tiny_training_set_overfits_and_the_epoch_is_named(tmp_path, digits, rng, new_recorder):
    """A third of the labels are wrong: what is learnt by heart does not help on other images."""
    labels = digits.y_train[:120].copy()
    labels[::3] = rng.permutation(labels[::3])
    data = own(tmp_path, digits, 120, labels)
    recorder = new_recorder()
    options = TrainOptions(
        epochs=18, padding="valid", validation_split=0.5, batch_size=10, learning_rate=0.002
    )
    train.train(options, data, tmp_path / "runs", recorder)
    (text,) = [text for text in recorder.said if "overfitting since epoch" in text]
    rows = recorder.rows
    lowest = int(np.argmin([row["val_loss"] for row in rows])) + 1
    assert f"since epoch {lowest}:" in text


def test_a_validation_loss_that_is_no_number_stops_before_the_checkpoint(
    tmp_path, monkeypatch, new_recorder
):
    nan = {"val_loss": math.nan, "val_accuracy": 0.1}
    monkeypatch.setattr(loop, "_validate", lambda model, data: nan)
    with pytest.raises(TrainingFailedError, match="is NaN after epoch 1"):
        train.train(FAST, DIGITS, tmp_path, new_recorder())
    assert not list(tmp_path.iterdir())
