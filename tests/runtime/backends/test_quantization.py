"""Affine quantization against the definition, worked out in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.backends.quantization import dequantize, quantize

DTYPES = ["int8", "uint8", "int16"]
# Powers of two make x / scale exact, so that a reference in Fractions is exact too.
EXACT_SCALES = st.integers(-12, 4).map(lambda power: 2.0**power)
SCALES = st.floats(2.0**-16, 10.0, width=32)


def zero_points(dtype):
    limits = np.iinfo(dtype)
    return st.integers(int(limits.min), int(limits.max))


def reference(value, scale, zero_point, dtype):
    limits = np.iinfo(dtype)
    step = round(Fraction(float(value)) / Fraction(scale)) + zero_point  # half to even
    return min(max(step, int(limits.min)), int(limits.max))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data(), scale=EXACT_SCALES)
def test_quantize_rounds_half_to_even_and_saturates(dtype, data, scale):
    zero_point = data.draw(zero_points(dtype))
    halves = data.draw(st.lists(st.integers(-70_000, 70_000), min_size=1, max_size=20))
    values = np.array([half / 2 * scale for half in halves], np.float32)
    found = quantize(values, scale, zero_point, dtype)
    assert found.dtype == dtype
    assert found.tolist() == [reference(v, scale, zero_point, dtype) for v in values]


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data(), scale=SCALES)
def test_integers_survive_the_round_trip(dtype, data, scale):
    zero_point = data.draw(zero_points(dtype))
    steps = np.array(data.draw(st.lists(zero_points(dtype), max_size=20)), dtype)
    real = dequantize(steps, scale, zero_point)
    assert real.dtype == np.float32
    np.testing.assert_array_equal(quantize(real, scale, zero_point, dtype), steps)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data(), scale=SCALES)
def test_values_within_range_come_back_within_half_a_step(dtype, data, scale):
    zero_point = data.draw(zero_points(dtype))
    limits = np.iinfo(dtype)
    low, high = (np.float32((end - zero_point) * scale) for end in (limits.min, limits.max))
    within = st.floats(float(low), float(high), width=32)
    values = np.array(data.draw(st.lists(within, min_size=1, max_size=20)), np.float32)
    back = dequantize(quantize(values, scale, zero_point, dtype), scale, zero_point)
    # float32 itself is only so fine; 2**-22 of the value are a few of its last bits
    slack = np.abs(values) * 2.0**-22 + 2.0**-22 * scale * np.abs(zero_point)
    assert (np.abs(back.astype(np.float64) - values) <= scale / 2 + slack + 1e-30).all()


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [("int8", -128, 127), ("uint8", 0, 255), ("int16", -32768, 32767)]
)
def test_values_beyond_the_range_become_its_ends(dtype, low, high):
    values = np.array([-1e30, -1e6, 1e6, 1e30], np.float32)
    assert quantize(values, 0.5, 3, dtype).tolist() == [low, low, high, high]


def test_the_bug_of_public_samples_is_not_repeated():
    values = np.array([0.999, 1.0, 1.004], np.float32)
    assert quantize(values, 1 / 255, -128, "int8").tolist() == [127, 127, 127]
    assert quantize(np.array([0.4, 0.6], np.float32), 1.0, 0, "int8").tolist() == [0, 1]


def test_shapes_and_inputs_are_kept(rng):
    values = rng.normal(size=(2, 3, 4, 1)).astype(np.float32)
    before = values.copy()
    steps = quantize(values, 0.01, 0, "int8")
    copy = steps.copy()
    assert steps.shape == dequantize(steps, 0.01, 0).shape == values.shape
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(steps, copy)
    assert quantize(values[:0], 0.01, 0, "int8").shape == (0, 3, 4, 1)
