"""The tables of the codec against the steps that they stand for: equal in every bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.backends import _codec
from runtime.backends._codec import Codec
from runtime.backends.quantization import dequantize
from runtime.errors import InputError
from runtime.modelfile.manifest import TensorSpec
from runtime.preprocessing.spec import PreprocessSpec

SCALES = st.floats(2.0**-13, 4.0, width=32)
UNITS = st.floats(-2.0, 2.0, width=32)
INTEGERS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


@st.composite
def tensors(draw, dtypes=("int8", "uint8", "int16", "float32", "float16")):
    channels = draw(st.sampled_from([1, 3]))
    layout = draw(st.sampled_from(["NHWC", "NCHW"]))
    dtype = draw(st.sampled_from(dtypes))
    shape = (1, 4, 6, channels) if layout == "NHWC" else (1, channels, 4, 6)
    if dtype not in INTEGERS or draw(st.booleans()):
        return TensorSpec("in", shape, dtype, layout), channels
    zero = draw(st.integers(*INTEGERS[dtype]))
    return TensorSpec("in", shape, dtype, layout, draw(SCALES), zero), channels


@st.composite
def specs(draw, channels):
    count = draw(st.sampled_from([1, channels]))
    std = st.floats(0.125, 3.0, width=32)
    return PreprocessSpec(
        4,
        6,
        channels,
        scale=draw(st.sampled_from([1 / 255, 1.0, 2 / 255])),
        mean=tuple(draw(st.lists(UNITS, min_size=count, max_size=count))),
        std=tuple(draw(st.lists(std, min_size=count, max_size=count))),
    )


def output_tensor(dtype="float32", scale=None, zero=None):
    return TensorSpec("out", (1, 10), dtype, "NC", scale, zero)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_a_table_gives_what_the_steps_give(data, seed):
    tensor, channels = data.draw(tensors())
    spec = data.draw(specs(channels))
    images = np.random.default_rng(seed).integers(0, 256, (11, 4, 6, channels), np.uint8)
    codec = Codec(tensor, output_tensor())
    assert codec.takes(images, spec)
    found, wanted = codec.encode_images(images, spec), codec.encode(spec.apply(images))
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(found, wanted)


@settings(max_examples=50, deadline=None)
@given(SCALES, st.data())
def test_every_8_bit_score_is_dequantized_as_before(scale, data):
    dtype = data.draw(st.sampled_from(["int8", "uint8"]))
    zero = data.draw(st.integers(*INTEGERS[dtype]))
    codec = Codec(
        TensorSpec("in", (1, 4, 6, 1), "int8", "NHWC", 1.0, 0), output_tensor(dtype, scale, zero)
    )
    scores = np.arange(256).astype(np.uint8).view(dtype).reshape(2, 128)
    found = codec.decode(scores)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, dequantize(scores, scale, zero))


def test_what_was_returned_does_not_change_later():
    codec = Codec(
        TensorSpec("in", (1, 4, 6, 1), "int8", "NHWC", 0.5, 1), output_tensor("int8", 0.1, 3)
    )
    spec, images = PreprocessSpec(4, 6), np.full((1, 4, 6), 200, np.uint8)
    first, score = codec.encode_images(images, spec), codec.decode(np.ones((1, 2), np.int8))
    kept = first.copy(), score.copy()
    first_again = codec.encode_images(images // 2, spec)
    codec.decode(np.zeros((1, 2), np.int8))
    np.testing.assert_array_equal(first, kept[0])
    np.testing.assert_array_equal(score, kept[1])
    first_again[:] = 7
    score[:] = -1
    np.testing.assert_array_equal(codec.encode_images(images, spec), kept[0])
    np.testing.assert_array_equal(codec.decode(np.ones((1, 2), np.int8)), kept[1])


def test_another_spec_gets_another_table():
    codec = Codec(TensorSpec("in", (1, 4, 6, 1), "int8", "NHWC", 1 / 255, -128), output_tensor())
    images = np.full((1, 4, 6), 100, np.uint8)
    for spec in (PreprocessSpec(4, 6), PreprocessSpec(4, 6, mean=(0.2,)), PreprocessSpec(4, 6)):
        wanted = codec.encode(spec.apply(images))
        np.testing.assert_array_equal(codec.encode_images(images, spec), wanted)


def test_what_no_table_is_for_goes_through_the_steps():
    spec, images = PreprocessSpec(4, 6), np.zeros((2, 4, 6), np.uint8)
    integers = Codec(TensorSpec("in", (1, 4, 6, 1), "int8", "NHWC", 1.0, 0), output_tensor())
    floats = Codec(TensorSpec("in", (1, 4, 6, 1), "float32", "NHWC"), output_tensor())
    many = np.zeros((_codec._FEW, 4, 6), np.uint8)
    assert integers.takes(many, spec)
    assert not floats.takes(many, spec)
    for codec in (integers, floats):
        assert codec.takes(images, spec)
        assert not codec.takes(images / 255, spec)
        assert not codec.takes(images[:0], spec)
        assert not codec.takes(images, PreprocessSpec(6, 4))


def test_images_of_another_size_are_refused():
    codec = Codec(TensorSpec("in", (1, 4, 6, 1), "int8", "NHWC", 1.0, 0), output_tensor())
    with pytest.raises(
        InputError, match=r"expected images of shape \(n, 4, 6, 1\), got \(1, 6, 4\)"
    ):
        codec.encode_images(np.zeros((1, 6, 4), np.uint8), PreprocessSpec(4, 6))
