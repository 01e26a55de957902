"""A convolution takes the step of a pooling only where nothing else changes."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workstation side is not installed")
from keras import layers  # noqa: E402

from toolkit.compression.channels import find  # noqa: E402
from toolkit.compression.narrowing import Cut, largest_kernel, narrowed  # noqa: E402
from toolkit.compression.strides import pooled  # noqa: E402


def chain(*middle, side=12, **convolution):
    return keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.Conv2D(4, 3, padding="same", name="before", **convolution),
            *middle,
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


def branched():
    start = keras.Input((12, 12, 1))
    first = layers.Conv2D(4, 3, padding="same", name="first")(start)
    left = layers.MaxPooling2D(name="shared")(first)
    right = layers.MaxPooling2D()(layers.Conv2D(4, 3, padding="same", name="own")(first))
    joined = layers.Add()([left, right])
    return keras.Model(start, layers.Dense(3)(layers.Flatten()(joined)))


def everything(model):
    channels = find(model)
    return channels, {group: np.arange(group.size) for group in channels.groups}


@pytest.mark.parametrize(
    "between", [[], [layers.BatchNormalization(), layers.ReLU(), layers.Dropout(0.1)]]
)
def test_it_is_found_behind_what_keeps_places(between):
    assert pooled(chain(*between)) == {"pool": "before"}


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: chain(side=13), id="a pixel is left over"),
        pytest.param(lambda: chain(strides=2), id="it steps already"),
        pytest.param(lambda: chain(dilation_rate=2), id="dilated"),
        pytest.param(lambda: chain(layers.ZeroPadding2D()), id="places move in between"),
        pytest.param(lambda: chain(layers.AveragePooling2D(2, name="average")), id="pooled before"),
    ],
)
def test_it_is_not_found_where_shapes_or_places_would_change(model):
    assert pooled(model()) == {}


def test_what_somebody_else_reads_stays():
    model = branched()
    assert list(pooled(model).values()) == ["own"]


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_the_new_network_computes_every_second_pixel(padding, rng):
    model = keras.Sequential(
        [
            keras.Input((12, 12, 2)),
            layers.Conv2D(3, 3, padding=padding, activation="relu", name="before"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    channels, kept = everything(model)
    small = narrowed(model, channels, Cut(kept, pooled=pooled(model)))
    batch = rng.random((5, 12, 12, 2), dtype=np.float32)
    whole = np.asarray(model.layers[0](batch))
    start = 1 if padding == "same" else 0  # TensorFlow pads an even side at its end only
    expected = model.layers[-1](layers.Flatten()(whole[:, start::2, start::2]))
    np.testing.assert_allclose(np.asarray(small(batch)), np.asarray(expected), atol=1e-5)


def test_a_functional_model_keeps_its_other_pooling(rng):
    model = branched()
    channels, kept = everything(model)
    small = narrowed(model, channels, Cut(kept, pooled=pooled(model)))
    assert small.get_layer("own").strides == (2, 2)
    assert small.get_layer("first").strides == (1, 1)
    assert small(rng.random((2, 12, 12, 1), dtype=np.float32)).shape == (2, 3)


def test_a_kernel_without_padding_is_never_cut():
    model = keras.Sequential(
        [keras.Input((12, 12, 1)), layers.Conv2D(4, 5), layers.Flatten(), layers.Dense(3)]
    )
    channels, kept = everything(model)
    assert largest_kernel(model) == 0
    assert narrowed(model, channels, Cut(kept, kernel=3)).layers[0].kernel_size == (5, 5)
