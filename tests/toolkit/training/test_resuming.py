"""Interrupted trainings: what they leave, and that they go on to the same end."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.errors import DataError, InputError
from toolkit.datasets import DataOptions
from toolkit.runs.files import read_json, write_json
from toolkit.training import checkpoint
from toolkit.training import options as train_options
from toolkit.training import train as training
from toolkit.training.options import TrainOptions
from toolkit.training.train import TrainingInterruptedError, train

pytestmark = pytest.mark.usefixtures("no_plots")
DIGITS = DataOptions(name="digits")
USUAL = TrainOptions(epochs=3, limit=150, padding="valid", seed=3)  # that of ``baseline``
FAST = TrainOptions(architecture="small_network:build", epochs=3, limit=150, seed=3)
AUGMENTED = replace(USUAL, epochs=2, limit=60, augment=True, rotate=20)


def without_time(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def assert_same_history(found, expected):
    found, expected = without_time(found), without_time(expected)
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        assert row == pytest.approx(other, rel=1e-3, abs=1e-4)


def test_an_interrupted_training_resumes_to_the_same_end(
    baseline, tmp_path, new_recorder, interrupt
):
    """Also shows that the same command gives the same history."""
    import keras

    stopped = interrupt(tmp_path, USUAL)
    assert stopped.state.epoch == 1
    assert stopped.path.name.endswith(".partial")
    assert (stopped.path / "checkpoint" / "best.keras").is_file()
    recorder = new_recorder()
    result = training.resume(stopped.path, recorder)
    assert_same_history(stopped.state.history + recorder.rows, baseline[1].rows)
    models = [keras.models.load_model(r.run.model) for r in (result, baseline[0])]
    for found, expected in zip(*(model.get_weights() for model in models), strict=True):
        assert np.allclose(found, expected, rtol=1e-2, atol=1e-3)
    assert not (result.run.path / "checkpoint").exists()
    assert [p.name for p in tmp_path.iterdir() if p.is_dir() and not p.is_symlink()] == [
        result.run.path.name
    ]


def test_an_interruption_while_evaluating_can_be_resumed(tmp_path, monkeypatch, new_recorder):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    options = replace(FAST, epochs=1, limit=60)
    with monkeypatch.context() as patch:
        patch.setattr(training, "write_results", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(options, DIGITS, tmp_path, new_recorder())
    (partial,) = tmp_path.iterdir()
    assert training.resume(partial, new_recorder()).metrics["epochs"] == 1


def test_an_interruption_in_the_first_epoch_leaves_nothing(tmp_path, interrupt):
    stopped = interrupt(tmp_path, epoch=1)
    assert stopped.path is None
    assert not list(tmp_path.iterdir())


def test_an_interruption_before_the_first_checkpoint_is_whole_leaves_nothing(
    tmp_path, monkeypatch, new_recorder
):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", interrupted)
    with pytest.raises(TrainingInterruptedError) as raised:
        train(FAST, DIGITS, tmp_path, new_recorder())
    assert raised.value.path is None
    assert not list(tmp_path.iterdir())


def test_a_finished_run_cannot_be_resumed(baseline, new_recorder):
    with pytest.raises(InputError, match="is finished; nothing to resume"):
        training.resume(baseline[0].run.path, new_recorder())


def test_a_folder_without_checkpoint_cannot_be_resumed(tmp_path, new_recorder):
    with pytest.raises(InputError, match="holds no checkpoint"):
        training.resume(tmp_path, new_recorder())


def test_other_data_is_refused_and_moved_data_is_found(own_data, tmp_path, new_recorder, interrupt):
    path, arrays = own_data
    options = replace(FAST, epochs=2)
    stopped = interrupt(tmp_path / "runs", options, DataOptions(path=path))
    moved = tmp_path / "moved.npz"
    path.rename(moved)
    with pytest.raises(DataError, match=r"my data\.npz"):
        training.resume(stopped.path, new_recorder())
    np.savez(path, **(arrays | {"y_train": arrays["y_train"][::-1]}))
    with pytest.raises(InputError, match="is not the data that"):
        training.resume(stopped.path, new_recorder())
    assert (stopped.path / "checkpoint" / "state.json").is_file()
    result = training.resume(stopped.path, new_recorder(), moved)
    assert result.run.name == "my-data-build"


def test_what_auto_came_to_is_recorded_and_the_same_seed_gives_the_same_model(
    tmp_path, monkeypatch, new_recorder, interrupt
):
    """Also where the first part was trained on another machine and goes on here."""
    import keras

    monkeypatch.setattr(train_options, "host", lambda: SimpleNamespace(features=("bf16",)))
    options = replace(USUAL, epochs=2, limit=60, precision="auto")
    whole = train(options, DIGITS, tmp_path / "whole", new_recorder()).run
    assert whole.config["options"]["precision"] == "mixed_bfloat16"
    stopped = interrupt(tmp_path / "parts", options)
    monkeypatch.setattr(train_options, "host", lambda: SimpleNamespace(features=()))
    parts = training.resume(stopped.path, new_recorder()).run
    assert parts.config["options"] == whole.config["options"]
    models = [keras.models.load_model(run.model) for run in (whole, parts)]
    for found, expected in zip(*(model.get_weights() for model in models), strict=True):
        assert np.allclose(found, expected, rtol=1e-2, atol=1e-3)


def test_an_augmented_training_goes_on_with_the_same_moves(tmp_path, interrupt, new_recorder):
    from toolkit.trained_model import resolve

    whole = new_recorder()
    train(AUGMENTED, DIGITS, tmp_path / "whole", whole)
    stopped = interrupt(tmp_path / "parts", AUGMENTED)
    rest = new_recorder()
    run = training.resume(stopped.path, rest).run
    assert_same_history(stopped.state.history + rest.rows, whole.rows)
    assert run.config["options"]["rotate"] == 20
    # What an export of such a model holds: test_augmentation.py.
    kinds = {type(layer).__name__ for layer in resolve(run.path, DIGITS).source.model.layers}
    assert not [kind for kind in kinds if kind.startswith("Random")]


def test_what_an_older_version_did_not_record_has_its_default(tmp_path, interrupt, new_recorder):
    stopped = interrupt(tmp_path, replace(FAST, epochs=2))
    config = read_json(stopped.path / "config.json")
    known = ("architecture", "epochs", "batch_size", "padding", "limit", "seed", "learning_rate")
    config["options"] = {key: config["options"][key] for key in known}
    config["data"]["options"] = {"name": "digits"}
    write_json(stopped.path / "config.json", config)
    assert training.resume(stopped.path, new_recorder()).metrics["epochs"] == 2


@pytest.mark.parametrize(
    ("part", "key", "problem"),
    [("options", "warp", "'warp'"), ("data", "warp", "'sha256'")],
)
def test_a_record_of_another_version_is_refused_in_one_line(
    tmp_path, interrupt, new_recorder, part, key, problem
):
    stopped = interrupt(tmp_path, replace(FAST, epochs=2))
    config = read_json(stopped.path / "config.json")
    config[part][key] = 3
    if part == "data":
        del config["data"]["sha256"]
    write_json(stopped.path / "config.json", config)
    with pytest.raises(InputError, match="is not a record that this version") as raised:
        training.resume(stopped.path, new_recorder())
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)
