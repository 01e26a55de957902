"""Sums over images: ratios and saturation."""

import math

import numpy as np
import pytest

from toolkit.diagnosis.sums import Difference, Extent
from toolkit.inspection import TensorRange


def test_ratios_of_silence_are_finite_or_infinite_as_they_should_be():
    silent, equal = Difference(), Difference()
    silent.add(np.zeros(3, np.float32), np.ones(3, np.float32))
    assert silent.sqnr == -200
    assert silent.cosine == 0
    equal.add(np.zeros(3, np.float32), np.zeros(3, np.float32))
    assert equal.sqnr == math.inf
    assert equal.cosine == 1


def test_the_ends_of_the_range_are_no_saturation():
    """A ReLU's zero and a softmax of 1.0, one step above what int8 holds, are not clipped."""
    extent, held = Extent(), TensorRange(0.0, 255 / 256, 1 / 256)
    extent.add(np.float32([0.0, 0.0, 0.5, 1.0]), held)
    assert extent.saturated == 0
    extent.add(np.float32([-0.1, 1.1]), held)
    assert extent.saturated == pytest.approx(2 / 6)
    assert extent.use(held) == 1
