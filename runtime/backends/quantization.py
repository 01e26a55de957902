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
    """Quantize real values: round half to even, then saturate.

    Args:
        values: any shape, finite.
        scale: positive.
        zero_point: the integer that represents 0.0.
        dtype: an integer type, for example ``int8``.

    Returns:
        The same shape in ``dtype``. Values outside its range become its minimum or maximum.

    Example:
        >>> quantize(np.array([0.0, 0.25, 9.0], np.float32), 0.1, -128, "int8")
        array([-128, -126,  -38], dtype=int8)
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
    """Convert quantized integers back to float32.

    Args:
        values: integers, any shape.
        scale: positive.
        zero_point: the integer that represents 0.0.

    Example:
        >>> dequantize(np.array([-128, -118], np.int8), 0.1, -128)
        array([0., 1.], dtype=float32)
    """
    real = values.astype(np.float32)
    real -= np.float32(zero_point)
    real *= np.float32(scale)
    return real
