"""A training that runs out of memory goes on with half the batch."""

from dataclasses import replace

import pytest

from toolkit.datasets import DataOptions
from toolkit.runs.files import read_json
from toolkit.training import monitor, train
from toolkit.training.monitor import TrainingFailedError
from toolkit.training.options import TrainOptions

pytestmark = pytest.mark.usefixtures("no_plots")
DIGITS = DataOptions(name="digits")
FAST = TrainOptions(architecture="small_network:build", epochs=3, limit=150, seed=3)


@pytest.mark.parametrize(("before", "after"), [(86, 43), (3, 1), (2, 1)])
def test_a_batch_is_halved(before, after):
    assert monitor.halved(before) == after


def test_a_batch_of_one_cannot_be_halved():
    with pytest.raises(TrainingFailedError, match="out of memory with a single image per step"):
        monitor.halved(1)


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
def test_out_of_memory_halves_the_batch_and_is_recorded(tmp_path, monkeypatch, kind, new_recorder):
    error = MemoryError() if kind == "python" else exhausted()
    recorder = new_recorder()
    with monkeypatch.context() as patch:
        _Hungry(patch, most=40, error=error)
        options = replace(FAST, epochs=1, batch_size=86)
        result = train.train(options, DIGITS, tmp_path, recorder)
    said = [text for text in recorder.said if "memory" in text]
    assert said == [
        "Out of memory with 86 images per step: going on after epoch 0 with 43.",
        "Out of memory with 43 images per step: going on after epoch 0 with 21.",
    ]
    history = (result.run.path / "history.csv").read_text().splitlines()
    assert (
        dict(zip(history[0].split(","), history[1].split(","), strict=True))["batch_size"] == "21"
    )


def test_after_out_of_memory_the_weights_are_those_of_the_epoch_before(
    tmp_path, monkeypatch, new_recorder
):
    """A training that begins with the small batch comes to the same end."""
    found = []
    for most, size in ((40, 80), (1000, 40)):
        recorder = new_recorder()
        with monkeypatch.context() as patch:
            _Hungry(patch, most=most, error=MemoryError())
            options = replace(FAST, epochs=2, batch_size=size)
            train.train(options, DIGITS, tmp_path / str(most), recorder)
        found.append([{k: v for k, v in row.items() if k != "seconds"} for row in recorder.rows])
    for row, other in zip(*found, strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=1e-4)


def test_out_of_memory_in_a_later_epoch_goes_on_from_the_one_before(
    tmp_path, monkeypatch, new_recorder
):
    recorder = new_recorder()
    with monkeypatch.context() as patch:
        _Hungry(patch, most=40, error=exhausted(), after=1)
        train.train(replace(FAST, batch_size=80), DIGITS, tmp_path, recorder)
    assert [row["batch_size"] for row in recorder.rows] == [80, 40, 40]
    assert "going on after epoch 1 with 40" in "".join(recorder.said)


def test_out_of_memory_with_one_image_is_explained(tmp_path, monkeypatch, new_recorder):
    with monkeypatch.context() as patch:
        _Hungry(patch, most=0, error=exhausted())
        options = replace(FAST, batch_size=2)
        with pytest.raises(TrainingFailedError, match=r"single image per step.*mobilenet-small"):
            train.train(options, DIGITS, tmp_path, new_recorder())


def test_a_resumed_training_goes_on_with_the_batch_that_ran(tmp_path, monkeypatch, new_recorder):
    recorder = new_recorder(interrupt_in=2)
    with monkeypatch.context() as patch:
        _Hungry(patch, most=40, error=MemoryError())
        with pytest.raises(train.TrainingInterruptedError) as raised:
            train.train(replace(FAST, batch_size=80), DIGITS, tmp_path, recorder)
    state = read_json(raised.value.path / "checkpoint" / "state.json")
    assert state["history"][0]["batch_size"] == 40
    resumed = new_recorder()
    train.resume(raised.value.path, resumed)
    assert [row["batch_size"] for row in resumed.rows] == [40, 40]
