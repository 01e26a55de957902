"""What the tests of trainings share: a reporter that keeps what it is told, short trainings."""

import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from toolkit.datasets import DataOptions
from toolkit.progress import Silent
from toolkit.training import train
from toolkit.training.options import TrainOptions

DIGITS = DataOptions(name="digits")
USUAL = TrainOptions(epochs=3, limit=150, padding="valid", seed=3)
FAST = replace(USUAL, architecture="small_network:build")


class Recorder(Silent):
    """Keeps what it is told; presses Ctrl-C in one epoch if asked to."""

    def __init__(self, interrupt_in=None):
        """Take the number of the epoch that is interrupted."""
        self.interrupt_in = interrupt_in
        self.rows, self.ticks, self.said = [], 0, []

    def say(self, text):
        """Keep a remark."""
        self.said.append(text)

    @contextmanager
    def epoch(self, number, epochs, steps):
        """Count the steps."""

        def tick(logs):
            self.ticks += 1
            if number == self.interrupt_in:
                raise KeyboardInterrupt

        yield tick

    def epoch_done(self, number, epochs, row):
        """Keep a row of the history."""
        self.rows.append(row)


@pytest.fixture(scope="session", autouse=True)
def small_network_can_be_named():
    """Let ``--architecture small_network:build`` be found, which is quickly trained."""
    folder = str(Path(__file__).parent / "networks")
    sys.path.append(folder)
    yield
    sys.path.remove(folder)


@pytest.fixture
def no_plots(monkeypatch):
    """Leave out the two pictures of a run folder, half of what a short training costs here."""
    for name in ("plot_history", "plot_confusion"):
        monkeypatch.setattr(f"toolkit.training.results.{name}", lambda *_: None)


@pytest.fixture(scope="session")
def new_recorder():
    """Make a :class:`Recorder`."""
    return Recorder


@pytest.fixture(scope="session")
def interrupt():
    """Train until Ctrl-C in an epoch; gives the TrainingInterruptedError."""

    def run(parent, options=FAST, data=DIGITS, epoch=2):
        with pytest.raises(train.TrainingInterruptedError) as raised:
            train.train(options, data, parent, Recorder(epoch))
        return raised.value

    return run


@pytest.fixture(scope="session")
def baseline(tmp_path_factory):
    """A training without interruption: the result and what the reporter saw."""
    recorder = Recorder()
    parent = tmp_path_factory.mktemp("baseline") / "runs"
    return train.train(USUAL, DIGITS, parent, recorder), recorder


@pytest.fixture
def own_data(tmp_path, digits):
    """100 digits as a user's own .npz file, and the arrays in it."""
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


@pytest.fixture(scope="session")
def two_exports(digits_run, exports, tmp_path_factory):
    """A run that was exported to two formats, as the latest one; and their names."""
    names = ["tflite-int8", "onnx"]
    runs = tmp_path_factory.mktemp("two") / "runs"
    run = runs / digits_run.path.name
    shutil.copytree(digits_run.path, run, ignore=shutil.ignore_patterns("exports"))
    (run / "exports").mkdir()
    for name in names:
        shutil.copy(exports[name], run / "exports")
    (runs / "latest").symlink_to(run.name)
    return run, names
