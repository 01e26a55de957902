"""Which channels belong together."""

import numpy as np
import pytest

from runtime.errors import ExportError

keras = pytest.importorskip("keras", reason="the workstation side is not installed")
from keras import layers  # noqa: E402

from toolkit.architectures import BuildOptions, registry  # noqa: E402
from toolkit.compression.channels import find  # noqa: E402


def sizes(model):
    return [(group.size, sorted(group.makers)) for group in find(model).groups]


def image():
    return keras.Input((8, 8, 1))


def test_each_layer_of_the_tutorial_network_has_its_own_but_the_last():
    model = registry()["tutorial-cnn"]().build(BuildOptions((28, 28, 1), 10))
    assert [size for size, _ in sizes(model)] == [32, 32, 64, 64, 256]


def test_flatten_repeats_the_channels_for_each_pixel():
    model = keras.Sequential([image(), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)])
    port = find(model).reads[model.layers[-1].name]
    assert port.repeats == 36
    flat = np.arange(36 * 4).reshape(6, 6, 4)
    np.testing.assert_array_equal(port.indices(np.array([1, 3])), flat[..., [1, 3]].ravel())


def test_an_addition_ties_its_inputs():
    start = image()
    one = layers.Conv2D(4, 3, name="one")(start)
    two = layers.Conv2D(4, 3, name="two")(start)
    three = layers.Conv2D(6, 1, name="three")(layers.Add()([one, two]))
    end = layers.Dense(2)(layers.GlobalAveragePooling2D()(three))
    assert sizes(keras.Model(start, end)) == [(4, ["one", "two"]), (6, ["three"])]


def test_what_is_joined_stays_as_it_is():
    start = image()
    one, two = layers.Conv2D(4, 3)(start), layers.Conv2D(4, 3)(start)
    joined = layers.Concatenate()([one, two])
    after = layers.Conv2D(6, 1, name="after")(joined)
    end = layers.Dense(2)(layers.GlobalAveragePooling2D()(after))
    assert sizes(keras.Model(start, end)) == [(6, ["after"])]


@pytest.mark.parametrize(
    "layer",
    [
        layers.Softmax(),
        layers.Activation("softmax"),
        layers.LayerNormalization(),
        layers.Conv2D(8, 1, groups=2),
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        layers.Reshape((6, 3, 8)),
    ],
)
def test_channels_that_mix_in_an_unknown_way_stay(layer):
    model = keras.Sequential(
        [image(), layers.Conv2D(4, 3), layer, layers.Conv2D(5, 1, name="last"), layers.Flatten()]
    )
    model.add(layers.Dense(2))
    assert sizes(model) == [(5, ["last"])]


def test_a_model_with_nothing_to_narrow_is_refused():
    model = keras.Sequential([image(), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ExportError, match="no layer that can be narrowed"):
        find(model)


def test_a_layer_that_is_used_twice_is_refused():
    start, shared = image(), layers.Conv2D(1, 3, padding="same")
    end = layers.Dense(2)(layers.Flatten()(shared(shared(start))))
    with pytest.raises(ExportError, match="more than once"):
        find(keras.Model(start, end))
