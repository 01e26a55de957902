"""Multiply-adds of a model, against sums done by hand."""

import pytest

from exporters.keras_model.multiply_adds import count
from exporters.keras_model.tensorflow_setup import import_tensorflow
from runtime.modelfile import artifact as artifacts
from toolkit.architectures.base import BuildOptions
from toolkit.architectures.tutorial_cnn import TutorialCnn


@pytest.fixture(scope="module")
def keras():
    import_tensorflow()
    import keras

    return keras


@pytest.fixture
def counted(keras):
    """Count a model of one layer, or several, that sees 8x8 images of four channels."""

    def _count(*names, shape=(8, 8, 4)):
        layers = [getattr(keras.layers, name)(*args, **kw) for name, args, kw in names]
        return count(keras.Sequential([keras.Input(shape), *layers]), shape)

    return _count


def layer(name, *args, **kw):
    return name, args, kw


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (layer("Conv2D", 6, 3, padding="same"), 8 * 8 * 6 * 3 * 3 * 4),
        (layer("Conv2D", 6, 3), 6 * 6 * 6 * 3 * 3 * 4),
        (layer("Conv2D", 6, (1, 3), strides=2, use_bias=False), 4 * 3 * 6 * 1 * 3 * 4),
        (layer("Conv2D", 6, 3, dilation_rate=2), 4 * 4 * 6 * 3 * 3 * 4),
        (layer("Conv2D", 6, 3, groups=2, padding="same"), 8 * 8 * 6 * 3 * 3 * 2),
        (layer("DepthwiseConv2D", 3), 6 * 6 * 4 * 3 * 3),
        (layer("DepthwiseConv2D", 3, depth_multiplier=2), 6 * 6 * 8 * 3 * 3),
        (layer("SeparableConv2D", 6, 3), 6 * 6 * 4 * 3 * 3 + 6 * 6 * 6 * 4),
        (layer("Conv2DTranspose", 6, 3, strides=2, padding="same"), 8 * 8 * 4 * 3 * 3 * 6),
        (layer("Dense", 10), 8 * 8 * 4 * 10),
    ],
)
def test_a_layer_is_counted_as_by_hand(counted, one, expected):
    assert counted(one) == expected


def test_what_multiplies_no_sums_is_free(counted):
    free = [
        *("BatchNormalization", "PReLU", "LayerNormalization", "ReLU", "Softmax"),
        *("GlobalAveragePooling2D",),
    ]
    assert counted(layer("Conv2D", 2, 1), *map(layer, free)) == 8 * 8 * 2 * 4


@pytest.mark.parametrize(
    ("one", "shape"),
    [(layer("LSTM", 4), (8, 8)), (layer("GRU", 4), (8, 8)), (layer("Embedding", 4, 4), (8,))],
)
def test_a_layer_of_another_kind_makes_the_number_unknown(counted, one, shape):
    assert counted(one, layer("Flatten"), layer("Dense", 2), shape=shape) is None


def test_a_size_that_is_not_known_makes_the_number_unknown(keras):
    model = keras.Sequential([keras.Input((None, None, 1)), keras.layers.Conv2D(2, 3)])
    assert count(model, (None, None, 1)) is None


def test_a_layer_counts_as_often_as_it_is_called_in_any_nesting(keras):
    layers = keras.layers
    image, conv = keras.Input((8, 8, 4)), layers.Conv2D(4, 3, padding="same")
    twice = keras.Model(image, conv(conv(image)))
    nested = keras.Sequential([layers.Conv2D(4, 3, padding="same"), twice])
    model = keras.Model(image, layers.Add()([nested(image), image]))
    assert count(model, (8, 8, 4)) == 3 * (8 * 8 * 4 * 3 * 3 * 4)


def test_products_of_attention_count_although_they_have_no_weights(keras):
    image = keras.Input((8, 8, 4))
    rows = keras.layers.Reshape((64, 4))(image)
    model = keras.Model(image, keras.layers.MultiHeadAttention(2, 3)(rows, rows))
    projections, sums = 4 * (64 * 4 * 6), 2 * (64 * 64 * 6)
    assert count(model, (8, 8, 4)) == projections + sums


def test_half_precision_does_not_change_the_number(keras):
    layers = keras.layers
    conv = layers.Conv2D(2, 1, dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((8, 8, 4)), conv, layers.Flatten(), layers.Dense(3)])
    assert count(model, (8, 8, 4)) == 8 * 8 * 2 * 4 + 8 * 8 * 2 * 3


SAME = 784 * 32 * 25 + 784 * 32 * 800 + 196 * 64 * 288 + 196 * 64 * 576 + 3136 * 256 + 2560
VALID = 576 * 32 * 25 + 400 * 32 * 800 + 64 * 64 * 288 + 36 * 64 * 576 + 576 * 256 + 2560


@pytest.mark.parametrize(("padding", "expected"), [("same", SAME), ("valid", VALID)])
def test_the_network_of_the_notes(keras, padding, expected):
    model = TutorialCnn().build(BuildOptions((28, 28, 1), 10, padding=padding))
    assert count(model, (28, 28, 1)) == expected
    assert round(SAME / 1e6, 1) == 32.3


def test_counting_leaves_tensorflow_as_it_was(keras, counted):
    import tensorflow as tf

    counted(layer("Dense", 2))
    assert not tf.config.functions_run_eagerly()


def test_every_format_carries_the_number(exports, trained):
    assert trained.source.multiply_adds == SAME
    for path in exports.values():
        assert artifacts.read(path).manifest.multiply_adds == SAME
