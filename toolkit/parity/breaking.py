"""Breaks model files on purpose, in memory: one weight byte, the input's zero point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.tflite.graph import pack, parse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALL_BITS = 0xFF
_SHIFT = 64  # a quarter of the int8 range
_TFLITE_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_ONNX_KERNELS = ("Conv", "MatMul", "Gemm")


def flip_weight_byte(payload: bytes, suffix: str) -> bytes | None:
    """Invert the bits of the highest byte of one weight in the first convolution.

    Returns:
        The broken file; None if it has no layer with weights.

    Example::

        broken = flip_weight_byte(artifacts.payload(artifact), artifact.suffix)
    """
    return _flip_tflite(payload) if suffix == ".tflite" else _flip_onnx(payload)


def shift_zero_point(payload: bytes, suffix: str) -> bytes | None:
    """Move the zero point of the quantized input by a quarter of the int8 range.

    Returns:
        The broken file; None if the input is not quantized to int8.

    Example::

        broken = shift_zero_point(artifacts.payload(artifact), artifact.suffix)
    """
    return _shift_tflite(payload) if suffix == ".tflite" else _shift_onnx(payload)


def _flip_tflite(payload: bytes) -> bytes | None:
    from ai_edge_litert import schema_py_generated as schema

    model = parse(payload)
    graph = model.subgraphs[0]
    kinds = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    wanted = {getattr(schema.BuiltinOperator, name) for name in _TFLITE_KERNELS}
    for operator in graph.operators:
        if kinds[operator.opcodeIndex] not in wanted:
            continue
        buffer = model.buffers[_constant(graph, int(operator.inputs[1]))]
        if buffer.data is None:
            continue
        weights = np.array(buffer.data, np.uint8)
        tensor = graph.tensors[operator.inputs[1]]
        weights[_middle(weights, _bytes_per_weight(weights, tensor))] ^= _ALL_BITS
        buffer.data = weights
        return pack(model)
    return None


def _constant(graph: Any, tensor: int) -> int:
    """Return the buffer of a weight tensor, or of what a DEQUANTIZE makes it from (float16)."""
    maker = next((o for o in graph.operators if tensor in o.outputs), None)
    source = tensor if maker is None else int(maker.inputs[0])
    return int(graph.tensors[source].buffer)


def _bytes_per_weight(weights: NDArray[np.uint8], tensor: Any) -> int:
    return max(1, len(weights) // int(np.prod(tensor.shape)))


def _middle(weights: NDArray[np.uint8], width: int) -> int:
    """Return the position of the highest byte of the weight in the middle (little endian)."""
    return len(weights) // width // 2 * width + width - 1


def _shift_tflite(payload: bytes) -> bytes | None:
    from ai_edge_litert import schema_py_generated as schema

    model = parse(payload)
    graph = model.subgraphs[0]
    tensor = graph.tensors[graph.inputs[0]]
    if tensor.type != schema.TensorType.INT8 or tensor.quantization.zeroPoint is None:
        return None
    old = int(tensor.quantization.zeroPoint[0])
    tensor.quantization.zeroPoint = np.array([_moved(old)], np.int64)
    return pack(model)


def _moved(zero_point: int) -> int:
    return zero_point + _SHIFT if zero_point + _SHIFT <= 127 else zero_point - _SHIFT


def _flip_onnx(payload: bytes) -> bytes | None:
    import onnx

    model = onnx.load_model_from_string(payload)
    makers = {name: node for node in model.graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in _ONNX_KERNELS:
            continue
        name = node.input[1]
        while name in makers:  # DequantizeLinear or Cast precedes the weights
            name = makers[name].input[0]
        if name in stored:
            weights = onnx.numpy_helper.to_array(stored[name]).copy()
            raw = weights.reshape(-1).view(np.uint8)
            raw[_middle(raw, weights.dtype.itemsize)] ^= _ALL_BITS
            stored[name].CopyFrom(onnx.numpy_helper.from_array(weights, name))
            return bytes(model.SerializeToString())
    return None


def _shift_onnx(payload: bytes) -> bytes | None:
    import onnx

    model = onnx.load_model_from_string(payload)
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    quantize = next((n for n in model.graph.node if n.op_type == "QuantizeLinear"), None)
    if quantize is None:
        return None
    old = onnx.numpy_helper.to_array(stored[quantize.input[2]])
    if old.dtype != np.int8:
        return None
    new = onnx.numpy_helper.from_array(np.array(_moved(int(old)), np.int8), "shifted_zero_point")
    model.graph.initializer.append(new)
    for node in model.graph.node:
        if node is quantize or node.input[:1] == quantize.output[:1]:
            node.input[2] = new.name
    return bytes(model.SerializeToString())
