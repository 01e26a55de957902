"""Receptive fields by arithmetic, against the pixels that gradients reach."""

import numpy as np
import pytest

from exporters.keras_model.tensorflow_setup import import_tensorflow
from toolkit.explain.fields import WHOLE, Field
from toolkit.explain.layers import fields


@pytest.fixture(scope="module")
def keras():
    import_tensorflow()
    import keras

    return keras


def reached(keras, model, row, column):
    """Return first and last row and column of the image that one output value depends on."""
    import tensorflow as tf

    image = tf.ones((1, *model.inputs[0].shape[1:]))
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = tf.reduce_sum(model(image, training=False)[0, row, column])
    gradient = np.abs(tape.gradient(value, image).numpy()[0]).sum(axis=-1)
    rows, columns = np.nonzero(gradient)
    if not len(rows):  # it sees nothing but padding
        return None
    return (rows.min(), rows.max()), (columns.min(), columns.max())


def inside(axis, index, pixels):
    """Whether no part of the interval lies in the padding."""
    return axis.low + index * axis.jump >= 0 and axis.high + index * axis.jump < pixels


def random_network(keras, rng):
    """Stack layers with positive weights, so that no gradient cancels out."""
    layers, ones = keras.layers, "ones"
    x = image = keras.Input((int(rng.integers(24, 32)), int(rng.integers(24, 32)), 1))
    for _ in range(int(rng.integers(1, 5))):
        size = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
        padding = str(rng.choice(["same", "valid"]))
        kind = rng.integers(0, 5)
        if kind == 0:
            x = layers.Conv2D(2, size, int(rng.integers(1, 3)), padding, kernel_initializer=ones)(x)
        elif kind == 1:
            x = layers.Conv2D(2, size, 1, padding, dilation_rate=2, kernel_initializer=ones)(x)
        elif kind == 2:
            x = layers.AveragePooling2D(2, padding=padding)(x)
        elif kind == 3:
            x = layers.ZeroPadding2D(((1, 0), (2, 1)))(x)
        else:
            branch = layers.Conv2D(x.shape[-1], 3, padding="same", kernel_initializer=ones)(x)
            x = layers.Add()([x, branch])
        if min(x.shape[1:3]) < 9:
            break
    return keras.Model(image, x)


@pytest.mark.parametrize("seed", range(12))
def test_arithmetic_and_gradients_agree(keras, seed):
    model = random_network(keras, np.random.default_rng(seed))
    field = fields(model)[model.layers[-1].name]
    assert isinstance(field, Field)
    height, width = model.outputs[0].shape[1:3]
    for row, column in {(0, 0), (height // 2, width // 2), (height - 1, width - 1)}:
        found = reached(keras, model, row, column)
        sides = zip(
            (row, column), (field.rows, field.columns), model.inputs[0].shape[1:], strict=False
        )
        for number, (index, axis, pixels) in enumerate(sides):
            low, high = axis.covers(index, pixels)
            if inside(axis, index, pixels):
                assert found is None or found[number] == (low, high)
            elif found is not None:  # a window with holes may begin behind the border
                assert low <= found[number][0] <= found[number][1] <= high


def test_most_of_those_networks_are_tested_for_equality(keras):
    """In the middle of the image, where no padding hides the border of the field."""
    exact = 0
    for seed in range(12):
        model = random_network(keras, np.random.default_rng(seed))
        field = fields(model)[model.layers[-1].name]
        row, column = (side // 2 for side in model.outputs[0].shape[1:3])
        height, width = model.inputs[0].shape[1:3]
        exact += inside(field.rows, row, height) and inside(field.columns, column, width)
    assert exact >= 8


def test_two_3x3_convolutions_see_5x5_and_a_pooling_doubles_the_step(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(2, 3, name="a"),
            layers.Conv2D(2, 3, name="b"),
            layers.MaxPooling2D(name="c"),
            layers.Conv2D(2, 3, name="d"),
            layers.Flatten(name="e"),
        ]
    )
    found = fields(model)
    assert [found[name].size for name in "abcd"] == [(3, 3), (5, 5), (6, 6), (10, 10)]
    assert found["e"] == WHOLE


def test_a_layer_of_another_kind_is_not_known(keras):
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.UpSampling2D(name="up")])
    assert fields(model)["up"] is None
