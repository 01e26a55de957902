"""The state of an unfinished training."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.errors import InputError
from toolkit.runs import run as runs
from toolkit.training import checkpoint
from toolkit.training.checkpoint import State
from toolkit.training.schedules import Plateau

SEQUENCES = {
    "rising": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    "flat": [0.5] * 12,
    "falling": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
    "tiny rises": [0.5, 0.50005, 0.50009, 0.50012, 0.5002, 0.50025, 0.5003, 0.5004],
    "up and down": [0.5, 0.4, 0.4, 0.6, 0.5, 0.5, 0.5, 0.55, 0.61, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6],
}


def keras_rates(values, factor, patience):
    """Return the learning rates that Keras's own callback sets after each epoch."""
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.001))
    callback = keras.callbacks.ReduceLROnPlateau(
        monitor="val_accuracy", factor=factor, patience=patience, mode="max"
    )
    callback.set_model(model)
    callback.on_train_begin()
    rates = []
    for epoch, value in enumerate(values):
        callback.on_epoch_end(epoch, {"val_accuracy": value})
        rates.append(float(model.optimizer.learning_rate.numpy()))
    return rates


@pytest.mark.parametrize("patience", [1, 2, 3])
@pytest.mark.parametrize("values", SEQUENCES.values(), ids=SEQUENCES)
def test_the_plateau_rule_is_that_of_keras(values, patience):
    plateau, rate, rates = Plateau(0.5, patience), 0.001, []
    for value in values:
        rate = plateau.update(value, rate)
        rates.append(rate)
    assert rates == pytest.approx(keras_rates(values, 0.5, patience))


def test_the_plateau_rule_goes_on_from_a_stored_state():
    values, rate = SEQUENCES["up and down"], 0.001
    whole = Plateau(0.5, 3)
    for value in values:
        rate = whole.update(value, rate)
    first, again = Plateau(0.5, 3), 0.001
    for value in values[:5]:
        again = first.update(value, again)
    second = Plateau(first.factor, first.patience, first.best, first.wait)
    for value in values[5:]:
        again = second.update(value, again)
    assert again == rate


@pytest.fixture(scope="module")
def model():
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy")
    model.fit(np.eye(2), np.eye(2), epochs=1, verbose=0)
    return model


def state(epochs):
    return State(Plateau(0.5, 3, 0.7, 1), [{"loss": 0.5, "accuracy": 0.7}] * epochs, 1, 0.7)


def test_what_is_saved_is_restored_with_its_optimizer(tmp_path, model):
    checkpoint.save(tmp_path, model, state(1), is_best=True)
    again, found = checkpoint.restore(tmp_path)
    assert found == state(1)
    assert all(map(np.array_equal, again.get_weights(), model.get_weights()))
    variables = zip(again.optimizer.variables, model.optimizer.variables, strict=True)
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in variables)


def test_only_the_last_and_the_best_model_are_kept(tmp_path, model):
    checkpoint.save(tmp_path, model, state(1), is_best=True)
    checkpoint.save(tmp_path, model, state(2), is_best=False)
    names = {p.name for p in (tmp_path / runs.CHECKPOINT).iterdir()}
    assert names == {"best.keras", "last-2.keras", "state.json"}
    assert checkpoint.load_best(tmp_path).count_params() == model.count_params()


def test_the_best_model_is_that_of_its_epoch(tmp_path, model):
    import keras

    checkpoint.save(tmp_path, model, state(1), is_best=True)
    later = keras.models.clone_model(model)
    later.set_weights([weights + 1 for weights in model.get_weights()])
    later.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy")
    checkpoint.save(tmp_path, later, state(2), is_best=False)
    best, last = checkpoint.load_best(tmp_path), checkpoint.restore(tmp_path)[0]
    assert all(map(np.array_equal, best.get_weights(), model.get_weights()))
    assert all(map(np.array_equal, last.get_weights(), later.get_weights()))


def test_an_interruption_while_saving_leaves_the_checkpoint_before(tmp_path, model, monkeypatch):
    checkpoint.save(tmp_path, model, state(1), is_best=True)

    def interrupted(path, value):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_json", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path, model, state(2), is_best=False)
    assert checkpoint.restore(tmp_path)[1].epoch == 1


def test_a_full_disk_leaves_the_best_model_before(tmp_path, monkeypatch):
    def model(content):
        return SimpleNamespace(save=lambda path: path.write_bytes(content))

    def broken(source, target):
        Path(target).write_bytes(b"tw")
        raise OSError(28, "No space left on device")

    checkpoint.save(tmp_path, model(b"one"), state(1), is_best=True)
    monkeypatch.setattr("shutil.copyfile", broken)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(tmp_path, model(b"two"), state(2), is_best=True)
    assert checkpoint.best_path(tmp_path).read_bytes() == b"one"


@pytest.mark.parametrize("damage", ["missing", "no json", "other keys", "no model"])
def test_a_broken_checkpoint_is_refused(tmp_path, model, damage):
    checkpoint.save(tmp_path, model, state(1), is_best=True)
    file = tmp_path / runs.CHECKPOINT / "state.json"
    if damage == "missing":
        file.unlink()
    elif damage == "no json":
        file.write_text('{"rule": {')
    elif damage == "other keys":
        file.write_text(json.dumps({"rule": {"factor": 1}, "history": []}))
    else:
        (tmp_path / runs.CHECKPOINT / "last-1.keras").unlink()
    with pytest.raises(InputError, match="holds no checkpoint to resume from"):
        checkpoint.restore(tmp_path)
