"""Mends biases that do not fit into int32, in files by litert-quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST = np.iinfo(np.int32).max
_ROOM = 2**30  # steps that a mended bias has; half of what int32 holds
_LIMIT = 127  # int8 weights are symmetric


def mend_biases(quantized: Any, original: Any) -> None:
    """Give channels whose bias was cut off a scale in which it fits. Changed in place.

    A bias is stored in steps of the input times steps of the channel's weights. In a
    channel that faded in training the weights are near zero, so their step is, and the bias
    would need more than 32 bits. The tool cuts it off, which changes what the channel
    answers; TensorFlow's converter widens the weights' step instead, and so is done here.

    Args:
        quantized: ``ModelT`` of the int8 file, all weights inside.
        original: ``ModelT`` of the float32 file that it was made from.
    """
    real = {tensor.name: tensor for tensor in original.subgraphs[0].tensors}
    graph = quantized.subgraphs[0]
    for operator in graph.operators:
        if len(operator.inputs) != 3 or operator.inputs[2] < 0:
            continue
        image, weights, bias = (graph.tensors[i] for i in operator.inputs)
        stored = _values(quantized, bias, np.int32)
        if stored is None or weights.name not in real or bias.name not in real:
            continue
        cut_off = np.flatnonzero(np.abs(stored.astype(np.int64)) >= _LARGEST)
        if len(cut_off) == 0 or len(weights.quantization.scale) != len(stored):
            continue
        wanted = [_values(original, real[tensor.name], np.float32) for tensor in (weights, bias)]
        if wanted[0] is None or wanted[1] is None:
            continue
        step = float(image.quantization.scale[0])
        _mend(quantized, (weights, bias), (wanted[0], wanted[1]), step, cut_off)


def _mend(
    model: Any,
    tensors: tuple[Any, Any],
    wanted: tuple[NDArray[Any], NDArray[Any]],
    step: float,
    channels: NDArray[np.int64],
) -> None:
    weights, bias = tensors
    real_weights, real_bias = wanted[0].reshape(weights.shape), wanted[1]
    axis = int(weights.quantization.quantizedDimension)
    scales = np.array(weights.quantization.scale, np.float32)
    scales[channels] = np.abs(real_bias[channels]) / _ROOM / step
    stored_weights, stored_bias = _values(model, weights, np.int8), _values(model, bias, np.int32)
    assert stored_weights is not None  # noqa: S101 - its bias is stored beside it
    assert stored_bias is not None  # noqa: S101 - the caller has read it
    integers = np.moveaxis(stored_weights.reshape(weights.shape), axis, 0)
    real = np.moveaxis(real_weights, axis, 0)
    for channel in channels:
        steps = np.round(real[channel] / scales[channel])
        integers[channel] = np.clip(steps, -_LIMIT, _LIMIT).astype(np.int8)
        stored_bias[channel] = np.round(real_bias[channel] / (step * float(scales[channel])))
    weights.quantization.scale = scales
    bias.quantization.scale = np.float32(step) * scales
    _store(model, weights, stored_weights)
    _store(model, bias, stored_bias)


def _values(model: Any, tensor: Any, dtype: type[np.generic]) -> NDArray[Any] | None:
    """Return a copy of a tensor's constants; None if it has none of that type."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) != np.prod(tensor.shape) * np.dtype(dtype).itemsize:
        return None
    return np.array(data, np.uint8).view(dtype)


def _store(model: Any, tensor: Any, values: NDArray[Any]) -> None:
    model.buffers[tensor.buffer].data = np.ascontiguousarray(values).view(np.uint8)
