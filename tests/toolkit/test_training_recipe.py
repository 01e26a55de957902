"""What the recipe changes: the arithmetic, and how the learning rate falls."""

import csv
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from runtime.console import Output
from toolkit import checkpoint, training
from toolkit.commands._reporter import RichReporter
from toolkit.datasets import DataOptions
from toolkit.rates import Plateau
from toolkit.training import TrainingInterruptedError, TrainOptions, train

DIGITS = DataOptions(name="digits")
SHORT = TrainOptions(epochs=2, limit=60, padding="valid")


def quiet():
    return RichReporter(Output(quiet=True))


def rates_of(result):
    with (result.run.path / "history.csv").open() as file:
        return [float(row["learning_rate"]) for row in csv.DictReader(file)]


def test_mixed_precision_gives_a_float32_model(tmp_path):
    import keras

    options = TrainOptions(epochs=1, limit=60, padding="valid", precision="mixed_bfloat16")
    result = train(options, DIGITS, tmp_path, quiet())
    model = keras.models.load_model(result.run.model)
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.count_params() == 232_170
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("features", "precision"), [(("avx2", "bf16"), "mixed_bfloat16"), (("avx2",), "float32")]
)
def test_auto_takes_bfloat16_where_the_processor_computes_in_it(monkeypatch, features, precision):
    monkeypatch.setattr(training, "host", lambda: SimpleNamespace(features=features))
    assert TrainOptions(precision="auto").resolved() == TrainOptions(precision=precision)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_precision_that_was_asked_for_is_kept(precision):
    assert TrainOptions(precision=precision).resolved() == TrainOptions(precision=precision)


def test_the_learning_rate_falls_on_a_plateau(tmp_path, monkeypatch):
    monkeypatch.setattr(Plateau, "update", lambda self, value, rate: rate * self.factor)
    assert rates_of(train(SHORT, DIGITS, tmp_path, quiet())) == pytest.approx([0.001, 0.0005])


def test_the_learning_rate_falls_along_a_cosine(tmp_path):
    result = train(replace(SHORT, epochs=4, schedule="cosine"), DIGITS, tmp_path, quiet())
    shares = [0.5 * (1 + math.cos(math.pi * n / 4)) for n in range(4)]
    assert rates_of(result) == pytest.approx([0.001 * s for s in shares], rel=0.01)
    assert result.run.config["options"]["schedule"] == "cosine"


def test_a_cosine_goes_on_after_an_interruption(tmp_path, monkeypatch):
    options = replace(SHORT, epochs=3, schedule="cosine")
    whole = rates_of(train(options, DIGITS, tmp_path / "whole", quiet()))
    save = checkpoint.save

    def interrupted(folder, model, state, *, is_best):
        save(folder, model, state, is_best=is_best)
        if state.epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", interrupted)
    with pytest.raises(TrainingInterruptedError) as raised:
        train(options, DIGITS, tmp_path / "parts", quiet())
    monkeypatch.setattr(checkpoint, "save", save)
    assert rates_of(training.resume(raised.value.path, quiet())) == whole
