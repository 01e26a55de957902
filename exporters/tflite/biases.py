"""Re-quantization of biases that overflow int32, in files by litert-quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST = np.iinfo(np.int32).max
_FITTING = 2**30  # a re-quantized bias in steps; half of the range of int32
_LIMIT = 127  # int8 weights are symmetric


def requantize_biases(quantized: Any, original: Any) -> None:
    """Widen the weight scale of channels whose bias saturated, in place.

    The scale of a bias is the scale of the input times the scale of the channel's weights.
    In a channel whose weights vanished in training that scale is near zero, and the bias
    needs more than 32 bits. litert-quantizer saturates it, which changes the output of the
    channel. TensorFlow's converter widens the scale of the weights instead; so does this
    function.

    Args:
        quantized: ``ModelT`` of the int8 file, with all weights in its buffers.
        original: ``ModelT`` of the float32 file it was quantized from.

    Example::

        model = parse(quantized_payload)
        requantize_biases(model, parse(float_payload))
    """
    real = {tensor.name: tensor for tensor in original.subgraphs[0].tensors}
    graph = quantized.subgraphs[0]
    for operator in graph.operators:
        if len(operator.inputs) != 3 or operator.inputs[2] < 0:
            continue
        inputs, weights, bias = (graph.tensors[i] for i in operator.inputs)
        stored = _values(quantized, bias, np.int32)
        if stored is None or weights.name not in real or bias.name not in real:
            continue
        saturated = np.flatnonzero(np.abs(stored.astype(np.int64)) >= _LARGEST)
        if len(saturated) == 0 or len(weights.quantization.scale) != len(stored):
            continue
        floats = [_values(original, real[tensor.name], np.float32) for tensor in (weights, bias)]
        if floats[0] is None or floats[1] is None:
            continue
        step = float(inputs.quantization.scale[0])
        _requantize(quantized, (weights, bias), (floats[0], floats[1]), step, saturated)


def _requantize(
    model: Any,
    tensors: tuple[Any, Any],
    floats: tuple[NDArray[Any], NDArray[Any]],
    step: float,
    channels: NDArray[np.int64],
) -> None:
    weights, bias = tensors
    real_weights, real_bias = floats[0].reshape(weights.shape), floats[1]
    axis = int(weights.quantization.quantizedDimension)
    scales = np.array(weights.quantization.scale, np.float32)
    scales[channels] = np.abs(real_bias[channels]) / _FITTING / step
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
    """Return a copy of a constant tensor's values; None if it is none of that type."""
    data = model.buffers[tensor.buffer].data
    if data is None or len(data) != np.prod(tensor.shape) * np.dtype(dtype).itemsize:
        return None
    return np.array(data, np.uint8).view(dtype)


def _store(model: Any, tensor: Any, values: NDArray[Any]) -> None:
    model.buffers[tensor.buffer].data = np.ascontiguousarray(values).view(np.uint8)
