"""Affine quantization of input and output tensors: ``real = (q - zero_point) * scale``.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, equation 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


def quantize(
    values: NDArray[np.float32], scale: float, zero_point: int, dtype: DTypeLike
) -> NDArray[Any]:
    """Turn real values into integers: round half to even, then saturate.

    Args:
        values: any shape, finite.
        scale: positive.
        zero_point: the integer that stands for 0.0.
        dtype: an integer type, for example ``int8``.

    Returns:
        The same shape in ``dtype``. Values beyond its range become its ends.
    """
    limits = np.iinfo(dtype)
    steps = values / np.float32(scale)
    np.rint(steps, out=steps)
    steps += zero_point
    np.maximum(steps, limits.min, out=steps)
    np.minimum(steps, limits.max, out=steps)
    result: NDArray[Any] = steps.astype(dtype)
    return result


def dequantize(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    """Turn integers back into float32 values.

    Args:
        values: integers, any shape.
        scale: positive.
        zero_point: the integer that stands for 0.0.
    """
    real = values.astype(np.float32)
    real -= np.float32(zero_point)
    real *= np.float32(scale)
    return real
