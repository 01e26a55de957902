"""Batches cut from images in memory or on disk."""

import numpy as np
import pytest

from runtime.preprocessing.spec import PreprocessSpec
from toolkit.training.input_pipeline import (
    ModelInput,
    Schedule,
    TrainingData,
    validation_batches,
)

SPEC = PreprocessSpec(4, 5, 3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)


@pytest.fixture
def targets(rng):
    return rng.random((30, 2), dtype=np.float32)


@pytest.fixture
def on_disk(tmp_path, images):
    kept = np.memmap(tmp_path / "pixels", np.uint8, "w+", shape=images.shape)
    kept[:] = images
    return kept


def epochs(x, y, numbers=(1, 2)):
    feed = TrainingData(x, y, x, y).epoch_batches(Schedule(5, 8, 3))
    return [[pair for batch in feed(n).as_numpy_iterator() for pair in batch] for n in numbers]


def test_the_input_is_that_of_the_spec_bit_for_bit(images):
    places = np.array([3, 1, 29])
    lazy = ModelInput(images, places, SPEC)
    expected = SPEC.apply(images[places])
    assert np.array_equal(lazy[:], expected)
    assert np.array_equal(np.asarray(lazy), expected)
    assert np.array_equal(lazy[np.array([2, 0])], expected[[2, 0]])
    assert (len(lazy), lazy.shape) == (3, expected.shape)
    assert np.array_equal(ModelInput.of(images, SPEC)[:], SPEC.apply(images))


def test_batches_from_disk_and_from_memory_are_equal_bit_for_bit(images, on_disk, targets):
    at_once = epochs(SPEC.apply(images), targets)
    for kept in (images, on_disk):
        lazy = epochs(ModelInput.of(kept, SPEC), targets)
        for found, expected in zip(lazy, at_once, strict=True):
            assert len(found) == len(expected) == 8  # four batches of images and targets
            assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_validation_images_come_in_their_order(images, targets):
    x = ModelInput.of(images, SPEC)
    data = TrainingData(x, targets, x, targets)
    ((found, truth),) = validation_batches(data).as_numpy_iterator()
    assert np.array_equal(found, SPEC.apply(images))
    assert np.array_equal(truth, targets)


def test_batches_have_a_known_shape(images, targets):
    x = ModelInput.of(images, SPEC)
    element = TrainingData(x, targets, x, targets).epoch_batches(Schedule(1, 8, 0))(1).element_spec
    assert [spec.shape.as_list() for spec in element] == [[None, 4, 5, 3], [None, 2]]


def test_only_a_batch_is_made_at_a_time(images, targets, monkeypatch):
    sizes = []
    real = PreprocessSpec.apply

    def spy(self, batch):
        sizes.append(len(batch))
        return real(self, batch)

    monkeypatch.setattr(PreprocessSpec, "apply", spy)
    epochs(ModelInput.of(images, SPEC), targets, numbers=(1,))
    assert sorted(sizes) == [6, 8, 8, 8]
