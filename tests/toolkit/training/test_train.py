"""Training: the options, the run folder, the split of the data."""

import csv
from dataclasses import asdict

import numpy as np
import pytest

from runtime.errors import DataError, InputError, UnknownNameError
from toolkit.datasets import DataOptions
from toolkit.runs import run
from toolkit.runs.files import read_json
from toolkit.training import train as training
from toolkit.training.options import TrainOptions
from toolkit.training.train import TrainingInterruptedError, train

DIGITS = DataOptions(name="digits")
SMALL = "small_network:build"
FAST = TrainOptions(epochs=3, limit=150, padding="valid", seed=3)


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
    assert run.latest_run(baseline[0].run.path.parent).path == baseline[0].run.path


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


def test_a_split_that_leaves_little_to_train_on_is_told(tmp_path, new_recorder):
    recorder = new_recorder()
    options = TrainOptions(SMALL, limit=100, epochs=1, validation_split=0.7)
    train(options, DIGITS, tmp_path, recorder)
    (text,) = [text for text in recorder.said if "held out by" in text]
    assert text == "Only 30 images are trained on: 70 are held out by --validation-split 0.7"


def test_data_that_cannot_be_split_leaves_nothing(tmp_path, new_recorder):
    with pytest.raises(DataError, match="--validation-split 0"):
        train(TrainOptions(limit=3), DIGITS, tmp_path, new_recorder())
    assert not list(tmp_path.iterdir())


def test_an_unknown_architecture_leaves_nothing(tmp_path, new_recorder):
    with pytest.raises(UnknownNameError, match="Did you mean 'tutorial-cnn'"):
        train(TrainOptions(architecture="tutorial-cn"), DIGITS, tmp_path, new_recorder())
    assert not list(tmp_path.iterdir())


def test_without_validation_the_training_accuracy_is_watched(tmp_path, new_recorder):
    options = TrainOptions(SMALL, epochs=1, limit=60, validation_split=0)
    recorder = new_recorder()
    metrics = train(options, DIGITS, tmp_path, recorder).metrics
    assert "val_loss" not in recorder.rows[0]
    assert metrics["best_validation_accuracy"] == recorder.rows[0]["accuracy"]


def test_copies_that_were_left_out_are_told(own_data, tmp_path, new_recorder):
    path, arrays = own_data
    arrays["x_train"] = arrays["x_train"].copy()
    arrays["x_train"][5] = arrays["x_test"][5]
    np.savez(path, **arrays)
    recorder = new_recorder(interrupt_in=1)
    with pytest.raises(TrainingInterruptedError):
        train(FAST, DataOptions(path=path), tmp_path / "runs", recorder)
    assert any("1 training images" in text for text in recorder.said)


def test_the_split_is_seeded_and_calibration_keeps_out_of_validation(digits):
    parts = [training.training_data(digits, TrainOptions(seed=seed)) for seed in (0, 0, 1)]
    assert np.array_equal(parts[0].x_validation, parts[1].x_validation)
    assert not np.array_equal(parts[0].x_validation, parts[2].x_validation)
    assert parts[0].y.sum(axis=1).tolist() == [1.0] * len(parts[0].x)
    assert parts[0].x[:].max() <= 1.0
