"""The networks have the size of their papers, or that of the sum by hand."""

import math

import pytest

keras = pytest.importorskip("keras", reason="the workstation side is not installed")

from toolkit.architectures import BuildOptions, registry  # noqa: E402


def build(name, shape):
    return registry()[name]().build(BuildOptions(shape, 10))


def trained(model):
    return sum(math.prod(weights.shape) for weights in model.trainable_weights)


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_resnet20_has_the_layers_and_parameters_of_the_paper():
    model = build("resnet20", (32, 32, 3))
    # Table 6 of He et al.: 0.27 M. With zeros as shortcuts (option A) it is 269,722; the two
    # 1x1 shortcuts and their batch norms are 16 * 32 + 32 * 64 + 2 * (32 + 64) more.
    assert trained(model) == 269_722 + 2_752
    main = [one for one in model.layers if one.weights and "shortcut" not in one.name]
    assert sum(not one.name.endswith("_bn") for one in main) == 20
    assert kinds(model).count("Add") == 9
    assert model.get_layer("stage3_block3_relu").output.shape == (None, 8, 8, 64)


@pytest.mark.parametrize(
    ("shape", "first", "pixels"), [((28, 28, 1), 9, 3 * 3), ((32, 32, 3), 27, 4 * 4)]
)
def test_vgg_small_has_the_sum_of_its_layers(shape, first, pixels):
    pairs = ((32, 32), (32, 64), (64, 64), (64, 128), (128, 128))
    convolutions = first * 32 + 32 + sum(9 * a * b + b for a, b in pairs)
    dense = pixels * 128 * 256 + 256 + 256 * 10 + 10
    model = build("vgg-small", shape)
    assert model.count_params() == convolutions + dense
    assert {one.kernel_size for one in model.layers if hasattr(one, "kernel_size")} == {(3, 3)}


def test_tutorial_cnn_bn_adds_four_numbers_a_channel_and_drops_the_biases():
    model = build("tutorial-cnn-bn", (28, 28, 1))
    normalized = 32 + 32 + 64 + 64 + 256
    assert model.count_params() == 887_530 + (4 - 1) * normalized
    assert trained(model) == 887_530 + normalized
    assert kinds(model).count("BatchNormalization") == 5


def test_inception_small_has_four_modules_of_four_branches():
    model = build("inception-small", (28, 28, 1))
    assert kinds(model).count("Concatenate") == 4
    joined = [one for one in model.layers if type(one).__name__ == "Concatenate"]
    assert [len(one.input) for one in joined] == [4] * 4
    assert [one.output.shape[1:] for one in joined] == [(14, 14, 64)] * 2 + [(7, 7, 128)] * 2
    # One module: 1x1, 1x1 then 3x3, 1x1 then 5x5, 1x1 after pooling; each with 2 a channel.
    assert trained(model) == (
        _normalized(9, 1, 32)
        + _module(32, 16, 16, 24, 8, 12, 12)
        + _module(64, 16, 16, 24, 8, 12, 12)
        + _module(64, 32, 32, 48, 16, 24, 24)
        + _module(128, 32, 32, 48, 16, 24, 24)
        + (128 * 10 + 10)
    )


def _normalized(area, before, after):
    return area * before * after + 2 * after


def _module(channels, one, three_reduce, three, five_reduce, five, pool):
    return (
        _normalized(1, channels, one)
        + _normalized(1, channels, three_reduce)
        + _normalized(9, three_reduce, three)
        + _normalized(1, channels, five_reduce)
        + _normalized(25, five_reduce, five)
        + _normalized(1, channels, pool)
    )
