"""A model with fewer channels answers as the whole one whose other channels are dead."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workstation side is not installed")
from keras import layers  # noqa: E402

from toolkit.compression.channels import find  # noqa: E402
from toolkit.compression.importance import importance  # noqa: E402
from toolkit.compression.narrowing import Cut, narrowed  # noqa: E402
from toolkit.compression.widths import keep  # noqa: E402


def chain():
    return keras.Sequential(
        [
            keras.Input((10, 10, 3)),
            layers.Conv2D(6, 5, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(8, 3, activation="relu"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(7, activation="relu"),
            layers.Dense(4, activation="softmax"),
        ]
    )


def residual():
    start = keras.Input((10, 10, 3))
    stem = layers.Conv2D(6, 3, padding="same", activation="relu")(start)
    branch = layers.Conv2D(5, 3, padding="same", activation="relu")(stem)
    branch = layers.Conv2D(6, 1, use_bias=False)(branch)
    joined = layers.BatchNormalization()(layers.Add()([stem, branch]))
    return keras.Model(start, layers.Dense(4)(layers.GlobalMaxPooling2D()(joined)))


@pytest.fixture(params=[chain, residual])
def model(request):
    keras.utils.set_random_seed(3)
    built = request.param()
    rng = np.random.default_rng(3)
    for weight in built.weights:  # biases and statistics too
        if "seed" not in weight.path:
            weight.assign(rng.uniform(0.1, 1.0, weight.shape) * rng.choice([-1, 1], weight.shape))
        if "variance" in weight.path:
            weight.assign(np.abs(weight.numpy()))
    return built


@pytest.fixture
def batch(rng):
    return rng.random((5, 10, 10, 3), dtype=np.float32)


def kill(model, channels, kept):
    """Make the channels that are not kept deaf: nobody reads them any more."""
    for layer in model.layers:
        port = channels.reads.get(layer.name)
        if port is None or port.group.root not in kept or not layer.weights:
            continue
        dead = np.setdiff1d(np.arange(port.group.root.size), kept[port.group.root])
        for weight in layer.weights:
            if weight.path.endswith("/kernel") and "depthwise" not in layer.name:
                value = weight.numpy()
                value[..., port.indices(dead), :] = 0
                weight.assign(value)
            if weight.path.endswith("/depthwise_kernel"):
                value = weight.numpy()
                value[:, :, dead] = 0
                weight.assign(value)


def test_full_width_is_the_same_model(model, batch):
    channels = find(model)
    whole = Cut({group: np.arange(group.size) for group in channels.groups})
    same = narrowed(model, channels, whole)
    np.testing.assert_array_equal(np.asarray(same(batch)), np.asarray(model(batch)))


def test_channels_that_nobody_reads_can_go(model, batch):
    channels = find(model)
    rng = np.random.default_rng(1)
    kept = {
        group: np.sort(rng.choice(group.size, group.size // 2, replace=False))
        for group in channels.groups
    }
    before = np.asarray(model(batch))
    kill(model, channels, kept)
    expected = np.asarray(model(batch))
    small = narrowed(model, channels, Cut(kept))
    np.testing.assert_allclose(np.asarray(small(batch)), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(before - expected).max() > 1e-3  # the channels had something to say
    assert small.count_params() < model.count_params()


def test_a_kernel_keeps_its_centre(batch):
    model = keras.Sequential(
        [keras.Input((10, 10, 3)), layers.Conv2D(4, 5, padding="same"), layers.Flatten()]
    )
    model.add(layers.Dense(2))
    kernel = model.layers[0].kernel
    ring = np.zeros((5, 5, 1, 1), np.float32)
    ring[1:4, 1:4] = 1
    kernel.assign(kernel.numpy() * ring)
    channels = find(model)
    whole = {group: np.arange(group.size) for group in channels.groups}
    small = narrowed(model, channels, Cut(whole, kernel=3))
    assert small.layers[0].kernel_size == (3, 3)
    np.testing.assert_allclose(np.asarray(small(batch)), np.asarray(model(batch)), atol=1e-5)


def test_the_small_model_has_no_dropout(model):
    channels = find(model)
    small = narrowed(model, channels, Cut({g: np.arange(g.size) for g in channels.groups}))
    assert all(layer.rate == 0 for layer in small.layers if isinstance(layer, layers.Dropout))


def test_a_channel_that_nobody_reads_is_worth_nothing(model, batch):
    channels = find(model)
    group = channels.groups[-1]
    kept = {group: np.arange(1, group.size)}
    kill(model, channels, kept)
    truth = np.arange(5) % 4
    kind = "probabilities" if isinstance(model, keras.Sequential) else "logits"
    scores = importance(model, channels, batch, truth, kind)
    assert scores[group][0] == pytest.approx(0, abs=1e-9)
    assert scores[group][1:].max() > 0
    chosen = keep(scores, {g: g.size - 1 for g in channels.groups})
    assert scores[group][chosen[group]].sum() == pytest.approx(scores[group].sum())
    assert all((np.diff(indices) > 0).all() for indices in chosen.values())
