"""The order of the images in each epoch."""

import numpy as np
import pytest

from toolkit.training.input_pipeline import Schedule, TrainingData
from toolkit.training.loop import _align_dropout, _validate

NOTHING = np.empty((0, 1), np.float32)


@pytest.fixture
def data():
    x = np.arange(10, dtype=np.float32)[:, None]
    return TrainingData(x, x * 2, NOTHING, NOTHING)


def order(data, epoch, seed=0):
    batches = list(data.epoch_batches(Schedule(5, 4, seed))(epoch).as_numpy_iterator())
    assert [len(x) for x, _ in batches] == [4, 4, 2]
    assert all(np.array_equal(y, x * 2) for x, y in batches)
    return np.concatenate([x[:, 0] for x, _ in batches]).astype(int).tolist()


def test_every_image_comes_once_with_its_target(data):
    assert sorted(order(data, 1)) == list(range(10))


def test_the_order_follows_from_seed_and_epoch_alone(data):
    assert order(data, 2) == order(data, 2)
    assert order(data, 2) != order(data, 3)
    assert order(data, 2) != order(data, 2, seed=1)


def test_without_validation_images_nothing_is_validated(data):
    assert _validate(None, data) == {}


def test_dropout_goes_on_where_it_stood():
    """Keras saves a model without the position of its random generators."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((50,)), keras.layers.Dropout(0.5, seed=4)])
    ones = np.ones((1, 50), np.float32)
    drawn = [np.asarray(model(ones, training=True)) for _ in range(4)]
    _align_dropout(model, 2)
    assert np.array_equal(np.asarray(model(ones, training=True)), drawn[2])
    assert not np.array_equal(drawn[0], drawn[2])
