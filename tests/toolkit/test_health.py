"""Rules over the history of a training, and what the loop does when they fire."""

import math
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import epochs, health, rates, training
from toolkit.datasets import DataOptions
from toolkit.files import read_json
from toolkit.health import TrainingFailedError
from toolkit.progress import Silent
from toolkit.recipe import TrainOptions

DIGITS = DataOptions(name="digits")
FAST = TrainOptions(epochs=3, limit=150, padding="valid", seed=3)


class Recorder(Silent):
    """Keeps what it is told; presses Ctrl-C in one epoch if asked to."""

    def __init__(self, interrupt_in=None):
        self.interrupt_in = interrupt_in
        self.rows, self.ticks, self.said = [], 0, []

    def say(self, text):
        self.said.append(text)

    @contextmanager
    def epoch(self, number, epochs, steps):
        def tick(logs):
            self.ticks += 1
            if number == self.interrupt_in:
                raise KeyboardInterrupt

        yield tick

    def epoch_done(self, number, epochs, row):
        self.rows.append(row)


losses = st.floats(0.001, 20)
shares = st.floats(0, 1)
rows = st.fixed_dictionaries(
    {"loss": losses, "accuracy": shares, "val_loss": losses, "val_accuracy": shares},
    optional={},
).map(lambda row: row | {"learning_rate": 0.001, "seconds": 1.0})
histories = st.lists(rows, min_size=1, max_size=20)


@given(loss=st.floats(0, 1000), reference=st.floats(2, 100))
def test_a_loss_within_a_thousand_times_the_first_is_no_divergence(loss, reference):
    assert not health.diverged(loss, reference)


@given(st.sampled_from([math.nan, math.inf, -math.inf]) | st.floats(1e5 + 1, 1e30))
def test_a_loss_that_is_no_number_or_huge_is_divergence(loss):
    assert health.diverged(loss, 100)


@given(share=st.floats(0.001, 0.999))
def test_the_most_frequent_class_alone_is_near_chance_and_all_right_is_not(share):
    assert health.near_chance(share, share)
    assert not health.near_chance(1.0, share)


@given(history=histories, share=st.floats(0.01, 0.9))
def test_a_remark_of_one_kind_comes_once(history, share):
    said = [
        text
        for count in range(1, len(history) + 1)
        for text in health.remarks(history[:count], share, 20)
    ]
    assert sum("overfitting" in text for text in said) <= 1
    assert sum("near chance" in text for text in said) <= 1
    assert not any("\n" in text for text in said)


@given(histories)
def test_overfitting_begins_at_the_lowest_validation_loss(history):
    since = health.overfits_since(history)
    if since is not None:
        assert history[since - 1]["val_loss"] == min(row["val_loss"] for row in history)
        assert len(history) - since >= 3
        assert history[-1]["val_loss"] > history[since - 1]["val_loss"]
        assert history[-1]["loss"] < history[since - 1]["loss"]


@given(histories)
def test_without_validation_nothing_is_called_overfitting(history):
    plain = [{k: v for k, v in row.items() if not k.startswith("val_")} for row in history]
    assert health.overfits_since(plain) is None


@given(st.lists(losses, min_size=1, max_size=20))
def test_a_validation_loss_that_falls_is_never_overfitting(values):
    falling = [
        {"loss": 1.0, "val_loss": value, "val_accuracy": 0.5}
        for value in sorted(values, reverse=True)
    ]
    assert health.overfits_since(falling) is None


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
    assert health.overfits_since(history([1, 0.5, 0.6, 0.7, 0.8], [0.6, 0.8, 0.8, 0.7, 0.7])) == 2


def test_a_network_that_still_gets_more_accurate_does_not_overfit():
    rising = history([1, 0.5, 0.6, 0.7, 0.8], [0.6, 0.8, 0.8, 0.8, 0.81])
    assert health.overfits_since(rising) is None


@pytest.mark.parametrize(("rate", "word"), [(0.5, "high"), (1e-6, "low")])
def test_a_stalled_training_blames_an_unusual_rate_first(rate, word):
    stalled = [row | {"learning_rate": rate} for row in history([2.3] * 3, [0.1] * 3)]
    (text,) = health.remarks(stalled, 0.1, 10)
    assert f"Likely causes: a learning rate of {rate:g}, which is {word} (try 0.001)" in text


def test_a_long_training_is_told_what_is_faster():
    slow = [history([1], [0.5])[0] | {"seconds": 100.0}]
    (text,) = health.remarks(slow, 0.1, 30, faster=True)
    assert "about 48 minutes are left. --precision auto" in text
    (text,) = health.remarks(slow, 0.1, 30)
    assert "--precision" not in text
    assert health.remarks(slow, 0.1, 3) == []


def test_an_evaluation_near_chance_names_the_likely_causes():
    assert health.low_accuracy(0.3, 0.1) is None
    assert "--polarity" in health.low_accuracy(0.11, 0.1)


@pytest.mark.parametrize(("before", "after"), [(86, 43), (3, 1), (2, 1)])
def test_a_batch_is_halved(before, after):
    assert health.halved(before) == after


def test_a_batch_of_one_cannot_be_halved():
    with pytest.raises(TrainingFailedError, match="out of memory with a single image a step"):
        health.halved(1)


def test_a_network_in_16_bit_is_told_to_try_32():
    error = health.divergence(math.nan, "in step 1 of epoch 1", 0.01, mixed=True)
    assert "--learning-rate 0.001 and --precision float32" in str(error)
    assert "--precision" not in str(health.divergence(math.inf, "", 0.01, mixed=False))


def test_a_rate_of_a_million_stops_in_the_second_step_and_leaves_nothing(tmp_path):
    recorder = Recorder()
    with pytest.raises(TrainingFailedError) as raised:
        training.train(replace(FAST, learning_rate=1e6), DIGITS, tmp_path, recorder)
    text = str(raised.value)
    assert "in step 2 of epoch 1, at learning rate 1e+06" in text
    assert "Try --learning-rate 100000" in text
    assert "nothing is kept" in text
    assert recorder.ticks == 1
    assert not list(tmp_path.iterdir())
    assert raised.value.exit_code == 1


def test_after_a_good_epoch_its_weights_are_kept(tmp_path, monkeypatch):
    """The rate explodes after the first epoch."""
    import keras

    monkeypatch.setattr(TrainOptions, "rule", lambda self: _Rule())
    monkeypatch.setattr(rates, "to_json", lambda rule: {"kind": "none"})
    recorder = Recorder()
    with pytest.raises(TrainingFailedError, match="weights of epoch 1 are kept") as raised:
        training.train(FAST, DIGITS, tmp_path, recorder)
    (partial,) = tmp_path.glob("*.partial")
    best = partial / "checkpoint" / "best.keras"
    assert f"--from {best}" in str(raised.value)
    assert len(recorder.rows) == 1
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
def test_shuffled_labels_are_named_as_the_likely_cause(tmp_path, digits, rng):
    data = own(tmp_path, digits, 600, rng.permutation(digits.y_train[:600]))
    recorder = Recorder()
    options = TrainOptions(epochs=4, padding="valid", validation_split=0.3)
    training.train(options, data, tmp_path / "runs", recorder)
    (text,) = [text for text in recorder.said if "near chance" in text]
    assert "labels that do not belong to their images" in text


@pytest.mark.slow
def test_a_tiny_training_set_overfits_and_the_epoch_is_named(tmp_path, digits, rng):
    """A third of the labels are wrong: what is learnt by heart does not help on other images."""
    labels = digits.y_train[:120].copy()
    labels[::3] = rng.permutation(labels[::3])
    data = own(tmp_path, digits, 120, labels)
    recorder = Recorder()
    options = TrainOptions(
        epochs=18, padding="valid", validation_split=0.5, batch_size=10, learning_rate=0.002
    )
    training.train(options, data, tmp_path / "runs", recorder)
    (text,) = [text for text in recorder.said if "overfitting since epoch" in text]
    rows = recorder.rows
    lowest = int(np.argmin([row["val_loss"] for row in rows])) + 1
    assert f"since epoch {lowest}:" in text


class _Hungry:
    """Stands for a model whose steps need the memory of more than ``most`` images."""

    def __init__(self, monkeypatch, most, error, after=0):
        import keras

        fit = keras.Model.fit

        def step(model, batches, **options):
            size = int(next(iter(batches))[0].shape[0])
            if size > most and self.left == 0:
                fit(model, batches.take(1), **(options | {"callbacks": []}))  # half an epoch
                raise error
            self.left = max(0, self.left - 1)
            return fit(model, batches, **options)

        self.left = after
        monkeypatch.setattr(keras.Model, "fit", step)


def exhausted():
    import tensorflow as tf

    return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")


@pytest.mark.parametrize("kind", ["tensorflow", "python"])
def test_out_of_memory_halves_the_batch_and_is_recorded(tmp_path, monkeypatch, kind):
    error = MemoryError() if kind == "python" else exhausted()
    recorder = Recorder()
    with monkeypatch.context() as patch:
        _Hungry(patch, most=40, error=error)
        options = replace(FAST, epochs=1, batch_size=86)
        result = training.train(options, DIGITS, tmp_path, recorder)
    said = [text for text in recorder.said if "memory" in text]
    assert said == [
        "Out of memory with 86 images a step: going on after epoch 0 with 43.",
        "Out of memory with 43 images a step: going on after epoch 0 with 21.",
    ]
    history = (result.run.path / "history.csv").read_text().splitlines()
    assert (
        dict(zip(history[0].split(","), history[1].split(","), strict=True))["batch_size"] == "21"
    )


def test_after_out_of_memory_the_weights_are_those_of_the_epoch_before(tmp_path, monkeypatch):
    """A training that begins with the small batch comes to the same end."""
    found = []
    for most, size in ((40, 80), (1000, 40)):
        recorder = Recorder()
        with monkeypatch.context() as patch:
            _Hungry(patch, most=most, error=MemoryError())
            options = replace(FAST, epochs=2, batch_size=size)
            training.train(options, DIGITS, tmp_path / str(most), recorder)
        found.append([{k: v for k, v in row.items() if k != "seconds"} for row in recorder.rows])
    for row, other in zip(*found, strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=1e-4)


def test_out_of_memory_in_a_later_epoch_goes_on_from_the_one_before(tmp_path, monkeypatch):
    recorder = Recorder()
    with monkeypatch.context() as patch:
        _Hungry(patch, most=40, error=exhausted(), after=1)
        training.train(replace(FAST, batch_size=80), DIGITS, tmp_path, recorder)
    assert [row["batch_size"] for row in recorder.rows] == [80, 40, 40]
    assert "going on after epoch 1 with 40" in "".join(recorder.said)


def test_out_of_memory_with_one_image_is_explained(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        _Hungry(patch, most=0, error=exhausted())
        options = replace(FAST, batch_size=2)
        with pytest.raises(TrainingFailedError, match=r"single image a step.*mobilenet-small"):
            training.train(options, DIGITS, tmp_path, Recorder())


def test_a_resumed_training_goes_on_with_the_batch_that_ran(tmp_path, monkeypatch):
    recorder = Recorder(interrupt_in=2)
    with monkeypatch.context() as patch:
        _Hungry(patch, most=40, error=MemoryError())
        with pytest.raises(training.TrainingInterruptedError) as raised:
            training.train(replace(FAST, batch_size=80), DIGITS, tmp_path, recorder)
    state = read_json(raised.value.path / "checkpoint" / "state.json")
    assert state["history"][0]["batch_size"] == 40
    resumed = Recorder()
    training.resume(raised.value.path, resumed)
    assert [row["batch_size"] for row in resumed.rows] == [40, 40]


def test_a_validation_loss_that_is_no_number_stops_before_the_checkpoint(tmp_path, monkeypatch):
    nan = {"val_loss": math.nan, "val_accuracy": 0.1}
    monkeypatch.setattr(epochs, "_validate", lambda model, data: nan)
    with pytest.raises(TrainingFailedError, match="is no number after epoch 1"):
        training.train(FAST, DIGITS, tmp_path, Recorder())
    assert not list(tmp_path.iterdir())
