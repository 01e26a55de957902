"""Readable names of layers."""

import pytest

from exporters.keras_model.layer_names import layer_of, short_name, unique_names

CONV = "cnn_1/cnn_1/conv2d_1_2"
DEPTHWISE = (
    "net_1/net_1/block1_depthwise_relu6_1/Relu6;net_1/net_1/block1_depthwise_bn_1/batchnorm/"
    "mul_1;net_1/net_1/block1_depthwise_1/depthwise;net_1/net_1/block1_depthwise_bn_1/Cast_3"
)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (f"{CONV}/Relu;{CONV}/BiasAdd;{CONV}/convolution;{CONV}/Squeeze1", "conv2d_1"),
        ("cnn_1/cnn_1/conv2d_1/convolution", "conv2d"),
        (DEPTHWISE, "block1_depthwise"),
        ("net_1/probabilities_1/MatMul/MatMulAddFusion", "probabilities"),
        ("net_1/block1_pointwise_1/convolution/merged_input:0", "block1_pointwise"),
        ("cnn_1/dense_1/Cast/ReadVariableOp:0_quantized", "dense"),
        ("cnn_1/max_pooling2d_1_2/MaxPool2d", "max_pooling2d_1"),
        ("model/conv2d_1/Relu", "conv2d_1"),  # another tool numbers nothing
        ("outer_1/inner_1/conv_1/BiasAdd", "conv"),
    ],
)
def test_the_keras_layer_is_told_from_the_name(key, name):
    assert short_name(key) == layer_of(key) == name


def test_a_name_without_a_scope_tells_no_layer():
    assert layer_of("StatefulPartitionedCall_1:0") is None
    assert short_name("StatefulPartitionedCall_1:0") == "StatefulPartitionedCall_1"
    assert short_name("Conv__87", "net_1/stem_1/convolution/merged_input:0") == "stem"


def test_no_two_layers_get_the_same_name_and_those_with_weights_choose_first():
    wanted, kinds = ["conv", "conv", "pool", "pool", "pool"], ["Reshape", "Conv", "A", "A", "A"]
    names = unique_names(wanted, kinds, [False, True, False, False, False])
    assert names == ["conv_reshape", "conv", "pool", "pool_a", "pool_a_2"]
