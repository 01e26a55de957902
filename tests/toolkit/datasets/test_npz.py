"""A user's own arrays."""

import numpy as np
import pytest

from runtime.errors import DataError
from toolkit.datasets import DataOptions, load_dataset


@pytest.fixture
def arrays(rng):
    return {
        "x_train": rng.integers(0, 256, (12, 9, 7), dtype=np.uint8),
        "y_train": np.arange(12) % 3,
        "x_test": rng.integers(0, 256, (6, 9, 7), dtype=np.uint8),
        "y_test": np.arange(6) % 3,
    }


@pytest.fixture
def load(tmp_path, arrays):
    def _load(**changes):
        np.savez(tmp_path / "mine.npz", **(arrays | changes))
        return load_dataset(DataOptions(name="npz", path=tmp_path / "mine.npz"))

    return _load


def test_grey_images_without_channel_axis(load, arrays):
    dataset = load()
    assert dataset.x_train.shape == (12, 9, 7, 1)
    assert np.array_equal(dataset.x_train[..., 0], arrays["x_train"])
    assert dataset.labels == ("0", "1", "2")
    assert (dataset.spec.fit, dataset.spec.polarity, dataset.name) == ("pad", "as-is", "mine")


def test_rgb_images(load, rng):
    x = rng.integers(0, 256, (12, 9, 7, 3), dtype=np.uint8)
    dataset = load(x_train=x, x_test=255 - x[:6])
    assert dataset.spec.shape == (9, 7, 3)


def test_one_hot_labels(load, arrays):
    dataset = load(y_train=np.eye(3)[arrays["y_train"]], y_test=np.eye(3)[arrays["y_test"]])
    assert np.array_equal(dataset.y_train, arrays["y_train"])


@pytest.mark.parametrize("shape", [(12, 1), (12,)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64])
def test_label_columns_of_any_number_type(load, arrays, shape, dtype):
    dataset = load(y_train=arrays["y_train"].astype(dtype).reshape(shape))
    assert np.array_equal(dataset.y_train, arrays["y_train"])
    assert dataset.y_train.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_float_images_in_0_1_are_rounded_to_bytes(load, arrays, dtype):
    pixels = arrays["x_train"] / 255.0
    dataset = load(x_train=pixels.astype(dtype))
    difference = dataset.x_train[..., 0].astype(int) - arrays["x_train"]
    assert np.abs(difference).max() <= (1 if dtype is np.float16 else 0)


def test_names_of_classes(load):
    assert load(labels=np.array(["red", "green", "blue"])).labels == ("red", "green", "blue")


def test_names_of_classes_without_an_image_stay(load):
    assert load(labels=np.array(["a", "b", "c", "d"])).labels == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": np.array(["a", "b"])}, "2 labels for 3 classes"),
        ({"x_train": np.zeros((12, 9), np.uint8)}, r"x_train must be \(n, h, w\)"),
        ({"x_train": np.zeros((12, 9, 7, 2), np.uint8)}, r"not \(12, 9, 7, 2\)"),
        ({"x_train": np.zeros((0, 9, 7), np.uint8)}, "x_train must be"),
        ({"x_train": np.zeros((12, 9, 7), np.int32)}, "x_train: expected uint8 pixels"),
        ({"x_train": np.full((12, 9, 7), 2.0)}, "x_train: float pixels must lie in 0…1"),
        ({"x_test": np.full((6, 9, 7), np.nan)}, "x_test: float pixels must lie in 0…1"),
        ({"x_test": np.zeros((6, 7, 9), np.uint8)}, "test images must be uint8"),
        ({"y_train": np.arange(11) % 3}, "12 training images for 11 labels"),
        ({"y_train": np.arange(12) % 3 - 1}, "run from -1"),
        ({"y_train": np.where(np.arange(12) == 5, 300, np.arange(12) % 3)}, "only 4 classes"),
        ({"y_test": np.arange(6)}, "y_test holds class 5, y_train none above 2"),
        ({"y_train": np.arange(12) + 0.5}, "y_train must hold one whole number"),
        ({"y_test": np.zeros((6, 2, 2))}, "y_test must hold one whole number"),
        ({"y_test": np.zeros(0)}, "y_test must hold one whole number"),
        ({"y_test": np.array(3)}, "y_test must hold one whole number"),
        ({"y_train": np.full(12, np.nan)}, "y_train must hold one whole number"),
        ({"y_train": np.array(["cat"] * 12)}, "y_train must hold one whole number"),
    ],
)
def test_wrong_content_is_named(load, changes, words):
    with pytest.raises(DataError, match=words):
        load(**changes)


def test_without_a_path_it_says_what_is_needed():
    with pytest.raises(DataError, match=r"--dataset npz needs --data FILE\.npz"):
        load_dataset(DataOptions(name="npz"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.npz"):
        load_dataset(DataOptions(name="npz", path=tmp_path / "gone.npz"))


def test_planted_copies_are_left_out(load, arrays):
    planted = arrays["x_train"].copy()
    planted[4] = arrays["x_test"][2]
    dataset = load(x_train=planted)
    assert len(dataset.x_train) == 11
    assert "1 training images" in dataset.notes[0]
