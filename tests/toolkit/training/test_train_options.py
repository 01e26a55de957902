"""What the options change: the arithmetic, and how the learning rate falls."""

import csv
import hashlib
import math
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from runtime.errors import InputError
from toolkit.datasets import DataOptions
from toolkit.progress import SILENT
from toolkit.training import checkpoint
from toolkit.training import options as train_options
from toolkit.training import train as training
from toolkit.training.options import TrainOptions
from toolkit.training.schedules import Plateau
from toolkit.training.train import TrainingInterruptedError, train

pytestmark = pytest.mark.usefixtures("no_plots")
DIGITS = DataOptions(name="digits")
SHORT = TrainOptions(architecture="small_network:build", epochs=2, limit=60)


def rates_of(result):
    with (result.run.path / "history.csv").open() as file:
        return [float(row["learning_rate"]) for row in csv.DictReader(file)]


def test_mixed_precision_gives_a_float32_model(tmp_path):
    import keras

    options = TrainOptions(epochs=1, limit=60, padding="valid", precision="mixed_bfloat16")
    result = train(options, DIGITS, tmp_path, SILENT)
    model = keras.models.load_model(result.run.model)
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.count_params() == 232_170
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("features", "precision"), [(("avx2", "bf16"), "mixed_bfloat16"), (("avx2",), "float32")]
)
def test_auto_takes_bfloat16_where_the_processor_computes_in_it(monkeypatch, features, precision):
    monkeypatch.setattr(train_options, "host", lambda: SimpleNamespace(features=features))
    assert TrainOptions(precision="auto").resolved() == TrainOptions(precision=precision)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_precision_that_was_asked_for_is_kept(precision):
    assert TrainOptions(precision=precision).resolved() == TrainOptions(precision=precision)


def test_the_learning_rate_falls_on_a_plateau(tmp_path, monkeypatch):
    monkeypatch.setattr(Plateau, "update", lambda self, value, rate: rate * self.factor)
    assert rates_of(train(SHORT, DIGITS, tmp_path, SILENT)) == pytest.approx([0.001, 0.0005])


def test_the_learning_rate_falls_along_a_cosine(tmp_path):
    result = train(replace(SHORT, epochs=4, schedule="cosine"), DIGITS, tmp_path, SILENT)
    shares = [0.5 * (1 + math.cos(math.pi * n / 4)) for n in range(4)]
    expected = [0.001 * (0.002 + 0.998 * share) for share in shares]  # 0.2 % are left at the end
    assert rates_of(result) == pytest.approx(expected, rel=1e-4)
    assert result.run.config["options"]["schedule"] == "cosine"


def test_a_cosine_goes_on_after_an_interruption(tmp_path, monkeypatch):
    options = replace(SHORT, epochs=3, schedule="cosine")
    whole = rates_of(train(options, DIGITS, tmp_path / "whole", SILENT))
    save = checkpoint.save

    def interrupted(folder, model, state, *, is_best):
        save(folder, model, state, is_best=is_best)
        if state.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", interrupted)
    with pytest.raises(TrainingInterruptedError) as raised:
        train(options, DIGITS, tmp_path / "parts", SILENT)
    monkeypatch.setattr(checkpoint, "save", save)
    assert rates_of(training.resume(raised.value.path, SILENT)) == whole


@pytest.mark.parametrize("schedule", ["plateau", "cosine"])
def test_the_learning_rate_rises_in_a_warmup_that_survives_an_interruption(
    tmp_path, monkeypatch, schedule
):
    options = replace(SHORT, epochs=4, schedule=schedule, warmup=2)
    save = checkpoint.save

    def interrupted(folder, model, state, *, is_best):
        save(folder, model, state, is_best=is_best)
        if state.epoch == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", interrupted)
    with pytest.raises(TrainingInterruptedError) as raised:
        train(options, DIGITS, tmp_path, SILENT)
    monkeypatch.setattr(checkpoint, "save", save)
    found = rates_of(training.resume(raised.value.path, SILENT))
    last = 0.001 if schedule == "plateau" else 0.0005  # half of a cosine over two epochs
    assert found == pytest.approx([0.001 / 3, 0.002 / 3, 0.001, last], rel=0.01)


@pytest.mark.parametrize(
    ("changes", "kind", "numbers"),
    [
        ({"optimizer": "sgd", "momentum": 0.8}, "SGD", {"momentum": 0.8}),
        ({"optimizer": "rmsprop", "momentum": 0.5}, "RMSprop", {"momentum": 0.5}),
        ({"optimizer": "adamw", "weight_decay": 0.01}, "AdamW", {"weight_decay": 0.01}),
        ({"weight_decay": 0.001}, "Adam", {"weight_decay": 0.001}),
    ],
)
def test_the_optimizer_is_the_one_asked_for(changes, kind, numbers):
    made = replace(SHORT, learning_rate=0.02, **changes).new_optimizer()
    assert type(made).__name__ == kind
    assert float(made.learning_rate.numpy()) == pytest.approx(0.02)
    assert {name: getattr(made, name) for name in numbers} == numbers


def test_an_option_that_the_optimizer_does_not_take_is_refused():
    with pytest.raises(InputError, match="optimizer adam takes no --momentum"):
        replace(SHORT, momentum=0.9)


@pytest.mark.parametrize(
    "name",
    [
        "adamw",
        *(
            pytest.param(n, marks=pytest.mark.slow)
            for n in train_options.OPTIMIZERS
            if n != "adamw"
        ),
    ],
)
def test_every_optimizer_trains_and_its_training_can_be_resumed(tmp_path, monkeypatch, name):
    save = checkpoint.save

    def interrupted(folder, model, state, *, is_best):
        save(folder, model, state, is_best=is_best)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", interrupted)
        with pytest.raises(TrainingInterruptedError) as raised:
            train(replace(SHORT, optimizer=name), DIGITS, tmp_path, SILENT)
    assert training.resume(raised.value.path, SILENT).metrics["epochs"] == 2


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_where_that_is_asked_for(tmp_path):
    """In processes of their own: the choice holds for a whole process."""
    command = [sys.executable, "-m", "toolkit", "train", "--dataset", "digits", "--epochs", "2"]
    options = ["--limit", "200", "--augment", "--deterministic", "--quiet", "--seed", "4"]
    digests = []
    for name in ("first", "second"):
        subprocess.run([*command, *options, "--out", str(tmp_path / name)], check=True)
        model = keras_weights(tmp_path / name / "latest" / "model.keras")
        digests.append(hashlib.sha256(b"".join(w.tobytes() for w in model)).hexdigest())
    assert digests[0] == digests[1]


def keras_weights(path):
    import keras

    return keras.models.load_model(path, compile=False).get_weights()


def test_tensorboard_reads_what_was_written(tmp_path):
    import tensorflow as tf

    result = train(replace(SHORT, tensorboard=True), DIGITS, tmp_path, SILENT)
    (events,) = (result.run.path / "tensorboard").glob("events.*")
    found = {}
    for event in tf.compat.v1.train.summary_iterator(str(events)):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    with (result.run.path / "history.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert found["loss"] == pytest.approx(losses, rel=1e-4)
    assert len(found["val_accuracy"]) == 2
    assert not (tmp_path / "none").exists()
