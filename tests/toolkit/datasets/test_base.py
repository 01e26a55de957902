"""Checks, checksums and overlap of datasets."""

from dataclasses import replace

import numpy as np
import pytest

from runtime.errors import DataError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets import DataOptions, load_dataset
from toolkit.datasets.base import Dataset, check, image_hashes, without_overlap


@pytest.fixture
def dataset(rng):
    def images(count):
        return rng.integers(0, 256, (count, 6, 5, 3), dtype=np.uint8)

    spec = PreprocessSpec(6, 5, 3)
    y_train, y_test = np.arange(12) % 3, np.arange(6) % 3
    return Dataset("mine", images(12), y_train, images(6), y_test, ("a", "b", "c"), spec)


def test_a_good_dataset_passes(dataset):
    check(dataset)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": np.zeros((12, 6, 5, 3), np.float32)}, "training images must be uint8"),
        ({"x_test": np.zeros((6, 5, 6, 3), np.uint8)}, r"test images must be uint8 \(n, 6, 5, 3\)"),
        ({"y_train": np.zeros(11, np.int64)}, "12 training images for 11 labels"),
        ({"y_test": np.array([0, 1, 2, 3, 0, 1])}, "run from 0 to 3, but there are 3 classes"),
        ({"y_train": np.arange(12) % 3 - 1}, "run from -1 to 1"),
        (
            {"x_train": np.zeros((0, 6, 5, 3), np.uint8), "y_train": np.zeros(0, np.int64)},
            "0 training images",
        ),
    ],
)
def test_wrong_content_is_named(dataset, changes, words):
    with pytest.raises(DataError, match=words):
        check(replace(dataset, **changes))


def test_the_checksum_depends_on_every_array(dataset):
    sums = {dataset.checksum}
    for key in ("x_train", "y_train", "x_test", "y_test"):
        array = getattr(dataset, key).copy()
        array.flat[0] += 1
        sums.add(replace(dataset, **{key: array}).checksum)
    assert len(sums) == 5


def test_the_checksum_does_not_depend_on_memory_layout(dataset):
    turned = replace(dataset, x_train=np.asfortranarray(dataset.x_train))
    assert turned.checksum == dataset.checksum


def test_limit_keeps_the_first_training_images_and_all_test_images(dataset):
    small = dataset.limited(5)
    assert np.array_equal(small.x_train, dataset.x_train[:5])
    assert len(small.y_train) == 5
    assert small.x_test is dataset.x_test
    assert dataset.limited(None) is dataset


@pytest.mark.parametrize("count", [0, -1])
def test_a_limit_below_one_is_refused(dataset, count):
    with pytest.raises(DataError, match="--limit must be at least 1"):
        dataset.limited(count)


def test_equal_images_have_equal_hashes_and_others_do_not(dataset):
    images = dataset.x_train.copy()
    images[7] = images[2]
    hashes = image_hashes(images)
    assert hashes[7] == hashes[2]
    assert len(set(hashes.tolist())) == 11


def test_hashes_that_end_in_zero_bytes_stay_different():
    """The array type strips zero bytes at the end; 2,000 images make some likely."""
    images = np.arange(2000, dtype="<u2").view(np.uint8).reshape(2000, 1, 2, 1)
    assert len(set(image_hashes(images).tolist())) == 2000


def test_training_images_that_are_test_images_are_left_out_with_a_note(dataset):
    planted = dataset.x_train.copy()
    planted[3], planted[8] = dataset.x_test[1], dataset.x_test[4]
    clean = without_overlap(replace(dataset, x_train=planted))
    assert len(clean.x_train) == len(clean.y_train) == 10
    assert not np.isin(image_hashes(clean.x_train), image_hashes(clean.x_test)).any()
    assert "2 training images" in clean.notes[0]


def test_nothing_is_left_out_where_nothing_is_shared(dataset):
    assert without_overlap(dataset) is dataset


def test_a_dataset_whose_training_images_are_all_test_images_is_refused(dataset):
    copied = replace(dataset, x_train=np.repeat(dataset.x_test, 2, axis=0))
    with pytest.raises(DataError, match="every training image is also a test image"):
        without_overlap(copied)


@pytest.mark.parametrize("options", [{"image_size": (32, 32)}, {"channels": 3}])
def test_a_size_that_only_folders_can_give_is_refused(options):
    with pytest.raises(DataError, match="only image folders are resized"):
        load_dataset(DataOptions(name="digits", **options))
