"""What a command works on: a run, or a model of the user's own."""

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from runtime.errors import DataError, InputError, UnknownNameError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets import DataOptions, Dataset
from toolkit.datasets.base import image_hashes
from toolkit.datasets.splits import train_validation
from toolkit.progress import SILENT
from toolkit.trained_model import Overrides, in_order, resolve

NOTHING = DataOptions()


def test_a_run_brings_its_data_labels_and_preprocessing(trained, digits_run, digits):
    assert trained.name == "digits-cnn"
    assert trained.labels == digits.labels
    assert trained.spec == digits.spec
    assert trained.dataset.checksum == digits.checksum
    assert trained.exports == digits_run.path / "exports"


def test_calibration_may_use_the_training_part_only(trained, digits):
    train, validation = train_validation(digits, 0.1, 0)
    assert np.array_equal(trained.training, train)
    allowed = set(image_hashes(digits.x_train[trained.training]).tolist())
    assert not allowed & set(image_hashes(digits.x_train[validation]).tolist())
    assert not allowed & set(image_hashes(digits.x_test).tolist())


def test_the_latest_run_is_the_default(digits_run, monkeypatch):
    monkeypatch.chdir(digits_run.path.parent.parent)
    found = resolve(None, NOTHING)
    assert found.source.path.resolve() == digits_run.model.resolve()


def test_without_any_run_it_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="toolkit train"):
        resolve(None, NOTHING)


def test_other_data_for_a_run_may_all_be_used(digits_run, digits, tmp_path):
    arrays = {
        "x_train": digits.x_train[:50],
        "y_train": digits.y_train[:50],
        "x_test": digits.x_test[:30],
        "y_test": digits.y_test[:30],
        "labels": np.array(digits.labels),
    }
    np.savez(tmp_path / "other.npz", **arrays)
    found = resolve(digits_run.path, DataOptions(path=tmp_path / "other.npz"))
    assert found.dataset.name == "other"
    assert len(found.training) == 50
    assert found.labels == digits.labels


def test_a_model_of_the_users_own(rgb_model):
    data = DataOptions(path=rgb_model / "colors.npz")
    found = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    assert found.name == "colors"
    assert found.labels == ("red", "green", "blue")
    assert found.spec.scale == 1.0
    assert found.source.scores == "logits"
    expected = found.source.predict(found.spec.apply(found.dataset.x_test))
    assert (expected.argmax(axis=1) == found.dataset.y_test).mean() > 0.9


def test_overrides_win(rgb_model):
    overrides = Overrides("mine", ("r", "g", "b"), 1.0, (0.5,), (2.0, 2.0, 3.0))
    data = DataOptions(path=rgb_model / "colors.npz")
    found = resolve(rgb_model / "colors.keras", data, overrides)
    assert (found.name, found.labels) == ("mine", ("r", "g", "b"))
    assert (found.spec.mean, found.spec.std) == ((0.5,), (2.0, 2.0, 3.0))


def test_no_override_changes_nothing(trained):
    assert Overrides().spec(trained.spec) == trained.spec
    assert Overrides(scale=1.0).spec(trained.spec) == replace(trained.spec, scale=1.0)


def test_a_model_without_data_says_what_to_add(rgb_model):
    with pytest.raises(DataError, match=r"--data PATH, or --dataset mnist"):
        resolve(rgb_model / "colors.keras", NOTHING)


def test_data_of_another_size_is_refused(rgb_model):
    with pytest.raises(DataError, match=r"images of 28x28x1, requested 32x32x3"):
        resolve(rgb_model / "colors.keras", DataOptions(name="digits"))


@pytest.mark.parametrize("wrong", [{"image_size": (64, 64)}, {"channels": 1}])
def test_a_size_that_the_model_cannot_have_is_refused(rgb_model, wrong):
    data = DataOptions(path=rgb_model / "colors.npz", **wrong)
    with pytest.raises(InputError, match="takes images of 32x32 with 3 channels"):
        resolve(rgb_model / "colors.keras", data)


def test_a_slip_in_one_label_is_told(rgb_model):
    """It turned a new order of the classes into new names for the old order."""
    data = DataOptions(path=rgb_model / "colors.npz")
    with pytest.raises(UnknownNameError, match=r"'bleu'. Did you mean 'blue'"):
        resolve(rgb_model / "colors.keras", data, Overrides(labels=("red", "green", "bleu")))
    found = resolve(rgb_model / "colors.keras", data, Overrides(labels=("r", "g", "b")))
    assert found.labels == ("r", "g", "b")


def test_a_wrong_number_of_labels_is_refused(rgb_model):
    data = DataOptions(path=rgb_model / "colors.npz")
    with pytest.raises(InputError, match=r"3 classes, but there are 2 labels"):
        resolve(rgb_model / "colors.keras", data, Overrides(labels=("a", "b")))


def test_data_with_more_classes_than_the_model_is_refused(digits_run, tmp_path, rng):
    x = rng.integers(0, 256, (48, 28, 28), dtype=np.uint8)
    y = np.arange(24) % 12
    np.savez(tmp_path / "x.npz", x_train=x[:24], y_train=y, x_test=x[24:], y_test=y)
    with pytest.raises(InputError, match="x has 12 classes, the model 10"):
        resolve(digits_run.path, DataOptions(path=tmp_path / "x.npz"))


@pytest.mark.parametrize("name", ["colors.npz", "gone"])
def test_anything_else_is_refused(rgb_model, name):
    with pytest.raises(InputError, match=r"is no run folder|is not a finished run folder"):
        resolve(rgb_model / name, NOTHING)


def test_labels_in_another_order_number_the_classes_anew(rgb_model):
    data = DataOptions(path=rgb_model / "colors.npz")
    plain = resolve(rgb_model / "colors.keras", data)
    labels = plain.labels[::-1]
    turned = resolve(rgb_model / "colors.keras", data, Overrides(labels=labels))
    assert turned.labels == turned.dataset.labels == labels
    names = [plain.labels[i] for i in plain.dataset.y_test]
    assert [labels[i] for i in turned.dataset.y_test] == names


def test_labels_moved_on_by_one_keep_their_images(rng):
    """Unlike a reversed order, this one is not its own inverse."""
    images = rng.integers(0, 256, (6, 4, 4, 1), dtype=np.uint8)
    y, names, moved = np.arange(6) % 3, ("a", "b", "c"), ("c", "a", "b")
    dataset = Dataset("mine", images, y, images, y[::-1], names, PreprocessSpec(4, 4))
    found = in_order(dataset, moved, SILENT)
    for old, new in ((dataset.y_train, found.y_train), (dataset.y_test, found.y_test)):
        assert [moved[i] for i in new] == [names[i] for i in old]


def test_a_run_takes_fit_and_polarity_and_refuses_another_size(digits_run):
    changed = resolve(digits_run.path, DataOptions(fit="stretch", polarity="as-is"))
    assert (changed.spec.fit, changed.spec.polarity) == ("stretch", "as-is")
    with pytest.raises(InputError, match="its size cannot be changed"):
        resolve(digits_run.path, DataOptions(image_size=(64, 64)))


def test_the_record_beside_a_keras_file_tells_its_training_part(digits_run, trained):
    found = resolve(digits_run.path / "model.keras", DataOptions(name="digits"))
    assert np.array_equal(found.training, trained.training)
    assert len(found.training) < len(found.dataset.y_train)


def test_a_run_knows_all_of_it(trained, digits_run):
    assert trained.as_arguments() == (shlex.quote(str(digits_run.path)),)


def test_a_file_is_named_with_its_data_and_what_was_said_of_it(rgb_model, tmp_path):
    folder = tmp_path / "my models"
    folder.symlink_to(rgb_model)
    said = Overrides("mine", ("a b", "c", "d"), 1.0, (0.0, 0.5, 1.0))
    data = DataOptions(path=folder / "colors.npz", polarity="as-is")
    words = shlex.split(" ".join(resolve(folder / "colors.keras", data, said).as_arguments()))
    assert words[:3] == [str(folder / "colors.keras"), "--data", str(folder / "colors.npz")]
    pairs = dict(zip(words[3::2], words[4::2], strict=True))
    assert pairs == {
        "--polarity": "as-is",
        "--name": "mine",
        "--labels": "a b,c,d",
        "--scale": "1.0",
        "--mean": "0.0,0.5,1.0",
    }


def test_what_it_names_can_be_typed(toolkit_cli, rgb_model, tmp_path):
    data = DataOptions(path=Path(rgb_model / "colors.npz"))
    trained = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    options = ("--format", "tflite", "--out", tmp_path)
    done = toolkit_cli("export", *shlex.split(" ".join(trained.as_arguments())), *options)
    assert done.exit_code == 0, done.output
    assert "Warning" not in done.stderr
