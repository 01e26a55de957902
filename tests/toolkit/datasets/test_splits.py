"""Stratified splits, and that no image stands in two parts."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import DataError
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.datasets.base import Dataset, image_hashes
from toolkit.datasets.splits import stratified, train_validation

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=200).map(np.array)
FRACTIONS = st.floats(0.01, 0.99)


@given(LABELS, FRACTIONS, st.integers(0, 2**32 - 1))
def test_the_parts_are_sorted_disjoint_and_complete(labels, fraction, seed):
    first, second = stratified(labels, fraction, seed)
    assert np.array_equal(np.sort(np.concatenate([first, second])), np.arange(len(labels)))
    assert all((np.diff(part) > 0).all() for part in (first, second))


@given(LABELS, FRACTIONS, st.integers(0, 2**32 - 1))
def test_each_class_is_split_in_the_same_proportion(labels, fraction, seed):
    first, second = stratified(labels, fraction, seed)
    for label in np.unique(labels):
        size = int((labels == label).sum())
        count = int((labels[second] == label).sum())
        assert (labels[first] == label).any()
        assert count == 0 if size == 1 else 1 <= count < size
        assert abs(count - size * fraction) <= 1


@given(LABELS, FRACTIONS, st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_split(labels, fraction, seed):
    assert np.array_equal(
        stratified(labels, fraction, seed)[1], stratified(labels, fraction, seed)[1]
    )


def test_another_seed_gives_another_split():
    labels = np.arange(200) % 4
    assert not np.array_equal(stratified(labels, 0.2, 0)[1], stratified(labels, 0.2, 1)[1])


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_fraction_outside_0_1_is_refused(fraction):
    with pytest.raises(DataError, match="between 0 and 1"):
        stratified(np.zeros(4, np.int64), fraction, 0)


@pytest.fixture
def copies(rng):
    """Forty training images of two classes in which every third is a copy of the one before."""
    images = rng.integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
    images[2::3] = images[1:-1:3]
    test = rng.integers(0, 256, (4, 4, 4, 1), dtype=np.uint8)
    spec = PreprocessSpec(4, 4, 1)
    return Dataset("mine", images, np.arange(40) % 2, test, np.arange(4) % 2, ("a", "b"), spec)


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_never_stands_in_training_and_validation(copies, seed):
    train, validation = train_validation(copies, 0.25, seed)
    hashes = image_hashes(copies.x_train)
    assert not np.isin(hashes[train], hashes[validation]).any()
    assert len(validation) == 10
    assert not np.intersect1d(train, validation).size


def test_without_a_validation_part_all_images_are_for_training(copies):
    train, validation = train_validation(copies, 0, 0)
    assert len(train) == 40
    assert validation.size == 0


def test_too_few_images_for_a_validation_part_are_refused(copies):
    with pytest.raises(DataError, match="--validation-split 0"):
        train_validation(copies.limited(2), 0.1, 0)


def test_images_that_are_all_equal_are_refused(copies):
    equal = replace(copies, x_train=np.zeros_like(copies.x_train))
    with pytest.raises(DataError, match="copies"):
        train_validation(equal, 0.1, 0)


def test_training_validation_and_test_of_the_digits_share_no_image(digits):
    train, validation = train_validation(digits, 0.1, 0)
    parts = [
        set(image_hashes(images).tolist())
        for images in (digits.x_train[train], digits.x_train[validation], digits.x_test)
    ]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]
