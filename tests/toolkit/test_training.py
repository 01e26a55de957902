"""Training: the recipe, the run folder, reproducibility, interruption and resumption."""

import csv
from contextlib import contextmanager
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.errors import DataError, InputError, UnknownNameError
from toolkit import checkpoint, recipe, runs, training
from toolkit.datasets import DataOptions
from toolkit.files import read_json
from toolkit.progress import Silent
from toolkit.recipe import TrainOptions
from toolkit.training import TrainingInterruptedError, train

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


def without_time(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def assert_same_history(found, expected):
    found, expected = without_time(found), without_time(expected)
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=1e-4)


def interrupt(parent, options=FAST, data=DIGITS, epoch=2):
    with pytest.raises(TrainingInterruptedError) as raised:
        train(options, data, parent, Recorder(epoch))
    return raised.value


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """A training without interruption: the result and what the reporter saw."""
    recorder = Recorder()
    return train(FAST, DIGITS, tmp_path_factory.mktemp("baseline") / "runs", recorder), recorder


def test_the_defaults_are_those_of_the_tutorial():
    assert asdict(TrainOptions()) == {
        "architecture": "tutorial-cnn",
        "padding": "same",
        "epochs": 30,
        "batch_size": 86,
        "optimizer": "adam",
        "learning_rate": 0.001,
        "momentum": None,
        "weight_decay": None,
        "validation_split": 0.1,
        "schedule": "plateau",
        "plateau_factor": 0.5,
        "plateau_patience": 3,
        "warmup": 0,
        "augment": False,
        "rotate": 10.0,
        "shift": 10.0,
        "zoom": 10.0,
        "seed": 0,
        "deterministic": False,
        "limit": None,
        "precision": "float32",
        "tensorboard": False,
        "start": None,
        "freeze": 0,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": -1.0},
        {"learning_rate": float("nan")},
        {"learning_rate": float("inf")},
        {"validation_split": 1.0},
        {"validation_split": -0.1},
        {"validation_split": float("nan")},
        {"precision": "float8"},
        {"schedule": "linear"},
        {"optimizer": "adamm"},
        {"momentum": 0.9},
        {"optimizer": "sgd", "momentum": 1.0},
        {"weight_decay": -0.1},
        {"plateau_factor": 1.0},
        {"plateau_patience": 0},
        {"schedule": "cosine", "plateau_patience": 5},
        {"warmup": -1},
        {"epochs": 3, "warmup": 3},
        {"rotate": 20.0},
        {"augment": True, "rotate": 180.0},
        {"augment": True, "zoom": -1.0},
        {"freeze": 1},
        {"freeze": -1, "start": "runs/latest"},
        {"seed": -1},
        {"seed": 2**32},
    ],
)
def test_options_out_of_range_are_refused(changes):
    with pytest.raises((InputError, UnknownNameError)):
        TrainOptions(**changes)


def test_the_run_folder_holds_all_parts(baseline):
    names = {path.name for path in baseline[0].run.path.iterdir()}
    assert names == {
        "model.keras",
        "config.json",
        "metrics.json",
        "train.toml",
        "history.csv",
        "classification_report.txt",
        "curves.png",
        "confusion_matrix.png",
    }
    assert runs.latest_run(baseline[0].run.path.parent).path == baseline[0].run.path


def test_the_configuration_is_enough_to_train_again(baseline, digits):
    config = baseline[0].run.config
    assert TrainOptions(**config["options"]) == FAST
    assert config["name"] == "digits-cnn"
    assert config["data"]["sha256"] == digits.limited(150).checksum
    assert config["data"]["train_images"] == 150
    assert config["preprocess"] == digits.spec.to_json()
    assert {"python", "keras", "numpy"} <= set(config["versions"])


def test_the_metrics_are_those_of_the_best_epoch(baseline):
    result, recorder = baseline
    metrics = read_json(result.run.path / "metrics.json")
    watched = [row["val_accuracy"] for row in recorder.rows]
    assert metrics["best_validation_accuracy"] == max(watched)
    assert watched[metrics["best_epoch"] - 1] == max(watched)
    assert metrics["parameters"] == 232_170
    assert metrics["epochs"] == 3
    assert metrics["test_accuracy"] == metrics["evaluation"]["accuracy"]


def test_the_history_has_one_row_an_epoch(baseline):
    result, recorder = baseline
    with (result.run.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[1]["val_loss"]) == recorder.rows[1]["val_loss"]
    assert recorder.ticks == 3 * 2  # 135 images in batches of 86


def test_an_interrupted_training_resumes_to_the_same_end(baseline, tmp_path):
    """Also shows that the same command gives the same history."""
    import keras

    stopped = interrupt(tmp_path)
    assert stopped.state.epoch == 1
    assert stopped.path.name.endswith(".partial")
    assert (stopped.path / "checkpoint" / "best.keras").is_file()
    recorder = Recorder()
    result = training.resume(stopped.path, recorder)
    assert_same_history(stopped.state.history + recorder.rows, baseline[1].rows)
    models = [keras.models.load_model(r.run.model) for r in (result, baseline[0])]
    for found, expected in zip(*(model.get_weights() for model in models), strict=True):
        assert np.allclose(found, expected, rtol=1e-2, atol=1e-3)
    assert not (result.run.path / "checkpoint").exists()
    assert [p.name for p in tmp_path.iterdir() if p.is_dir() and not p.is_symlink()] == [
        result.run.path.name
    ]


def test_an_interruption_while_evaluating_can_be_resumed(tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    options = TrainOptions(epochs=1, limit=60, padding="valid")
    with monkeypatch.context() as patch:
        patch.setattr(training, "write_results", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(options, DIGITS, tmp_path, Recorder())
    (partial,) = tmp_path.iterdir()
    assert training.resume(partial, Recorder()).metrics["epochs"] == 1


def test_an_interruption_in_the_first_epoch_leaves_nothing(tmp_path):
    stopped = interrupt(tmp_path, epoch=1)
    assert stopped.path is None
    assert not list(tmp_path.iterdir())


def test_an_interruption_before_the_first_checkpoint_is_whole_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", interrupted)
    with pytest.raises(TrainingInterruptedError) as raised:
        train(FAST, DIGITS, tmp_path, Recorder())
    assert raised.value.path is None
    assert not list(tmp_path.iterdir())


def test_data_that_cannot_be_split_leaves_nothing(tmp_path):
    with pytest.raises(DataError, match="--validation-split 0"):
        train(TrainOptions(limit=3), DIGITS, tmp_path, Recorder())
    assert not list(tmp_path.iterdir())


def test_an_unknown_architecture_leaves_nothing(tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'tutorial-cnn'"):
        train(TrainOptions(architecture="tutorial-cn"), DIGITS, tmp_path, Recorder())
    assert not list(tmp_path.iterdir())


def test_a_finished_run_cannot_be_resumed(baseline):
    with pytest.raises(InputError, match="is finished; nothing to resume"):
        training.resume(baseline[0].run.path, Recorder())


def test_a_folder_without_checkpoint_cannot_be_resumed(tmp_path):
    with pytest.raises(InputError, match="holds no checkpoint"):
        training.resume(tmp_path, Recorder())


@pytest.fixture
def own_data(tmp_path, digits):
    arrays = {
        "x_train": digits.x_train[:100],
        "y_train": digits.y_train[:100],
        "x_test": digits.x_test[:40],
        "y_test": digits.y_test[:40],
        "labels": np.array(digits.labels),
    }
    path = tmp_path / "my data.npz"
    np.savez(path, **arrays)
    return path, arrays


def test_other_data_is_refused_and_moved_data_is_found(own_data, tmp_path):
    path, arrays = own_data
    options = TrainOptions(epochs=2, padding="valid")
    stopped = interrupt(tmp_path / "runs", options, DataOptions(path=path))
    moved = tmp_path / "moved.npz"
    path.rename(moved)
    with pytest.raises(DataError, match=r"my data\.npz"):
        training.resume(stopped.path, Recorder())
    np.savez(path, **(arrays | {"y_train": arrays["y_train"][::-1]}))
    with pytest.raises(InputError, match="is not the data that"):
        training.resume(stopped.path, Recorder())
    assert (stopped.path / "checkpoint" / "state.json").is_file()
    result = training.resume(stopped.path, Recorder(), moved)
    assert result.run.name == "my-data-cnn"


def test_without_validation_the_training_accuracy_is_watched(tmp_path):
    options = TrainOptions(epochs=1, limit=60, padding="valid", validation_split=0)
    recorder = Recorder()
    metrics = train(options, DIGITS, tmp_path, recorder).metrics
    assert "val_loss" not in recorder.rows[0]
    assert metrics["best_validation_accuracy"] == recorder.rows[0]["accuracy"]


def test_copies_that_were_left_out_are_told(own_data, tmp_path):
    path, arrays = own_data
    arrays["x_train"] = arrays["x_train"].copy()
    arrays["x_train"][5] = arrays["x_test"][5]
    np.savez(path, **arrays)
    recorder = Recorder(interrupt_in=1)
    with pytest.raises(TrainingInterruptedError):
        train(FAST, DataOptions(path=path), tmp_path / "runs", recorder)
    assert any("1 training images" in text for text in recorder.said)


def test_the_split_is_seeded_and_calibration_keeps_out_of_validation(digits):
    parts = [training.training_data(digits, TrainOptions(seed=seed)) for seed in (0, 0, 1)]
    assert np.array_equal(parts[0].x_validation, parts[1].x_validation)
    assert not np.array_equal(parts[0].x_validation, parts[2].x_validation)
    assert parts[0].y.sum(axis=1).tolist() == [1.0] * len(parts[0].x)
    assert parts[0].x[:].max() <= 1.0


def test_what_auto_came_to_is_recorded_and_the_same_seed_gives_the_same_model(
    tmp_path, monkeypatch
):
    """Also where the first part was trained on another machine and goes on here."""
    import keras

    monkeypatch.setattr(recipe, "host", lambda: SimpleNamespace(features=("bf16",)))
    options = TrainOptions(epochs=2, limit=60, padding="valid", precision="auto")
    whole = train(options, DIGITS, tmp_path / "whole", Recorder()).run
    assert whole.config["options"]["precision"] == "mixed_bfloat16"
    stopped = interrupt(tmp_path / "parts", options)
    monkeypatch.setattr(recipe, "host", lambda: SimpleNamespace(features=()))
    parts = training.resume(stopped.path, Recorder()).run
    assert parts.config["options"] == whole.config["options"]
    models = [keras.models.load_model(run.model) for run in (whole, parts)]
    for found, expected in zip(*(model.get_weights() for model in models), strict=True):
        assert np.allclose(found, expected, rtol=1e-2, atol=1e-3)
