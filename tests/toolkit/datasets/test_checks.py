"""What is odd about data is found before the first epoch; each is made to happen."""

import json
from dataclasses import replace

import numpy as np
import pytest

from runtime.errors import DataError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets import DataOptions, load_dataset
from toolkit.datasets.checks import checked, findings


def kinds(dataset):
    return [finding.kind for finding in findings(dataset)]


def only(dataset, kind):
    (finding,) = findings(dataset)
    assert finding.kind == kind
    assert "\n" not in finding.text
    return finding.text


def without(dataset, part, label):
    """Return the digits without one class in one part."""
    keep = getattr(dataset, f"y_{part}") != label
    return replace(
        dataset, **{key: getattr(dataset, key)[keep] for key in (f"x_{part}", f"y_{part}")}
    )


def test_nothing_is_odd_about_the_digits(digits):
    assert findings(digits) == []
    assert checked(digits) is digits


@pytest.mark.mnist
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_nothing_is_odd_about_the_public_sets(data_dir, name):
    assert findings(load_dataset(DataOptions(name=name))) == []


@pytest.mark.parametrize(
    ("part", "words"), [("train", "cannot be learnt"), ("test", "cannot be judged")]
)
def test_a_missing_class_is_named(digits, part, words):
    text = only(without(digits, part, 7), "missing-class")
    assert "of class 7:" in text
    assert words in text


def test_of_many_missing_classes_the_first_are_named(digits):
    few = replace(digits, x_train=digits.x_train[:3], y_train=np.array([0, 1, 1]))
    text = only(few, "missing-class")
    assert "of class 2, 3, 4, 5, 6 and 3 more:" in text


def test_very_uneven_classes_are_named(digits):
    nines = np.flatnonzero(digits.y_train == 9)[5:]
    rare = replace(
        digits,
        x_train=np.delete(digits.x_train, nines, axis=0),
        y_train=np.delete(digits.y_train, nines),
    )
    assert "5 of 9" in only(rare, "uneven-classes")


def test_ten_times_as_many_images_are_not_yet_uneven(digits):
    y = np.repeat([0, 1], [50, 5])
    images = digits.x_train[:55]
    two = replace(digits, x_train=images, y_train=y, x_test=images, y_test=y, labels=("a", "b"))
    assert kinds(two) == []
    assert kinds(replace(two, x_train=digits.x_train[:56], y_train=np.append(y, 0))) == [
        "uneven-classes"
    ]


def test_constant_images_are_counted_and_numbered(digits):
    x = digits.x_train.copy()
    x[[3, 40]] = 0
    x[7] = 200
    text = only(replace(digits, x_train=x), "constant-image")
    assert "3 of 1,438 training images have one colour only: number 3, 7, 40 (from 0)" in text


def test_constant_images_beyond_the_first_chunk_keep_their_number(digits):
    x = np.resize(digits.x_train, (5000, 28, 28, 1))
    x[4500] = 9
    many = replace(digits, x_train=x, y_train=np.resize(digits.y_train, 5000))
    assert "number 4500 (from 0)" in only(many, "constant-image")


def test_an_image_of_one_colour_counts_in_colour_too(digits):
    spec = PreprocessSpec(28, 28, 3)
    x_train = np.repeat(digits.x_train, 3, axis=3)
    x_train[5] = (10, 20, 30)
    color = replace(digits, spec=spec, x_train=x_train, x_test=np.repeat(digits.x_test, 3, axis=3))
    assert "number 5 (from 0)" in only(color, "constant-image")


def test_images_that_all_have_one_colour_are_refused(digits):
    with pytest.raises(DataError, match="digits: each of the training images has one colour"):
        checked(replace(digits, x_train=np.full_like(digits.x_train, 128)))


def test_inverted_images_are_found_with_the_option_that_mends_it(digits):
    inverted = replace(digits, x_train=255 - digits.x_train, x_test=255 - digits.x_test)
    text = only(inverted, "inverted")
    assert "100% of the training images have a light background" in text
    assert "--polarity as-is" in text
    mended = replace(inverted, spec=PreprocessSpec(28, 28, fit="pad", polarity="as-is"))
    assert findings(mended) == []


@pytest.mark.parametrize("part", ["x_train", "x_test"])
def test_one_inverted_part_is_found_whatever_the_polarity(digits, part):
    spec = PreprocessSpec(28, 28, fit="pad", polarity="as-is")
    half = replace(digits, spec=spec, **{part: 255 - getattr(digits, part)})
    text = only(half, "differing-parts")
    assert "100% of the" in text
    assert "one part looks inverted" in text


@pytest.mark.parametrize(("most", "factor"), [(16, "15.9"), (1, "255")])
def test_unscaled_images_are_found_with_the_factor(digits, most, factor):
    def unscaled(images):
        return np.round(images * (most / 255)).astype(np.uint8)

    dataset = replace(digits, x_train=unscaled(digits.x_train), x_test=unscaled(digits.x_test))
    found = findings(dataset)
    assert [finding.kind for finding in found] == ["unscaled", "unscaled"]
    assert f"run from 0 to {most} of 255" in found[0].text
    assert f"by {factor}, or" in found[0].text


def test_parts_of_different_scale_are_found(digits):
    dataset = replace(digits, x_test=digits.x_test // 3)
    text = only(dataset, "differing-parts")
    assert "training images is 255, that of the test images 85" in text


def test_what_is_odd_becomes_a_note(digits):
    dataset = checked(without(replace(digits, notes=("before",)), "train", 4))
    assert dataset.notes[0] == "before"
    assert dataset.notes[1].startswith("Warning: no training image of class 4")


@pytest.fixture
def npz(tmp_path, digits):
    def write(**changes):
        path = tmp_path / "own.npz"
        arrays = {key: getattr(digits, key) for key in ("x_train", "y_train", "x_test", "y_test")}
        np.savez(path, **(arrays | changes))
        return path

    return write


FAST = ("--epochs", 1, "--limit", 100, "--architecture", "small_network:build")


def test_train_warns_before_the_first_epoch_and_records_it(toolkit_cli, npz, digits, tmp_path):
    data = npz(x_train=255 - digits.x_train, x_test=255 - digits.x_test)
    arguments = ("--data", data, "--polarity", "auto", "--out", tmp_path / "runs", "--json")
    result = toolkit_cli("train", *FAST, *arguments)
    assert result.exit_code == 0
    warning = result.stderr.index("Warning: 100% of the training images have a light background")
    assert warning < result.stderr.index("epoch 1/1")
    config = json.loads((tmp_path / "runs" / "latest" / "config.json").read_text())
    assert any("light background" in note for note in config["data"]["notes"])


@pytest.mark.parametrize("wrong", [-1, 12])
def test_train_refuses_labels_out_of_range(toolkit_cli, npz, digits, tmp_path, wrong):
    y = digits.y_train.copy()
    y[17] = wrong
    data = npz(y_train=y, labels=np.array(digits.labels))
    result = toolkit_cli("train", *FAST, "--data", data, "--out", tmp_path / "runs")
    assert result.exit_code == 2
    assert "label" in result.stderr
    assert not (tmp_path / "runs").exists()
