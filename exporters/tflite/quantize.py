"""Static int8 quantization of TFLite files with any calibration method, layers in float."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.quantization_options import MIN_MAX
from exporters.tflite.biases import requantize_biases
from exporters.tflite.graph import parse
from exporters.tflite.ranges import Range, tensor_ranges
from runtime.errors import ExportError, MissingDependencyError

if TYPE_CHECKING:
    from exporters.calibration import CalibrationSet
    from exporters.quantization_options import QuantizationOptions


def quantize(payload: bytes, calibration: CalibrationSet, options: QuantizationOptions) -> bytes:
    """Quantize a float32 TFLite file to int8.

    Input and output are int8 unless the layer there stays in float. litert-quantizer's
    own calibration is a moving average of the extremes; the ranges are computed by
    :func:`exporters.tflite.ranges.tensor_ranges` instead.

    Args:
        payload: a float32 TFLite file.
        calibration: images from which the ranges are computed.
        options: quantization options.

    Returns:
        The int8 TFLite file.

    Raises:
        ExportError: a layer that is to stay in float does not exist.
        MissingDependencyError: litert-quantizer is not installed.

    Example::

        options = QuantizationOptions(method="percentile")
        payload = quantize(graphs.tflite, calibration, options)
    """
    try:
        from litert_quantizer.quantizer import Quantizer
    except ImportError as error:
        raise MissingDependencyError(
            "litert-quantizer", "export", "calibrate by another method or leave layers in float"
        ) from error
    tool = Quantizer(payload)
    _set_recipe(tool, payload, options)
    ranges = _calibrate(tool, payload, calibration, options.method)
    result = tool.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return _finished(bytes(result.quantized_model), payload)


def _finished(payload: bytes, original: bytes) -> bytes:
    """Move all weights into the flatbuffer, and re-quantize saturated biases.

    From 256 KB on litert-quantizer appends large weights after the flatbuffer, where
    engines from before 2024 and most readers of the schema do not find them.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(payload))
    requantize_biases(model, parse(original))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _set_recipe(tool: Any, payload: bytes, options: QuantizationOptions) -> None:
    from litert_quantizer.algorithm_manager import AlgorithmName
    from litert_quantizer.qtyping import QuantGranularity, TFLOperationName

    everything = TFLOperationName.ALL_SUPPORTED
    granularity = (
        QuantGranularity.CHANNELWISE if options.per_channel else QuantGranularity.TENSORWISE
    )
    tool.add_static_config(".*", everything, 8, 8, weight_granularity=granularity)
    first, last = _check_layers(payload, options.float_layers)
    for key in options.float_layers:
        # litert-quantizer matches the output names of an operator, each followed by ";"
        tool.update_quantization_recipe(
            f"^{re.escape(key)};?$", everything, algorithm_key=AlgorithmName.NO_QUANTIZE
        )
    for edge, is_float in ((TFLOperationName.INPUT, first), (TFLOperationName.OUTPUT, last)):
        if is_float:
            tool.update_quantization_recipe(".*", edge, algorithm_key=AlgorithmName.NO_QUANTIZE)


def _check_layers(payload: bytes, keys: tuple[str, ...]) -> tuple[bool, bool]:
    """Return whether the file's first and last operators are among the layers.

    Raises:
        ExportError: one of the layers does not exist.
    """
    graph = parse(payload).subgraphs[0]
    outputs = [[graph.tensors[i].name.decode() for i in op.outputs] for op in graph.operators]
    known = {name for names in outputs for name in names}
    if missing := sorted(set(keys) - known):
        raise ExportError(
            f"the model has no layer {missing[0]!r}; it has {', '.join(sorted(known))}"
        )
    in_float = [bool(set(names) & set(keys)) for names in outputs]
    parts = list(zip(graph.operators, in_float, strict=True))
    first = all(is_float for op, is_float in parts if graph.inputs[0] in op.inputs)
    last = any(is_float for op, is_float in parts if graph.outputs[0] in op.outputs)
    return first, last


def _calibrate(
    tool: Any, payload: bytes, calibration: CalibrationSet, method: str
) -> dict[str, Any]:
    """Return our ranges in the form of litert-quantizer's own calibration result."""
    own = _own_ranges(tool, payload, calibration.batch[:1])
    ranges = _ranges(payload, calibration, method)
    return {
        name: {
            "min": np.full_like(values["min"], ranges[name][0]),
            "max": np.full_like(values["max"], ranges[name][1]),
        }
        for name, values in own.items()
        if name in ranges
    }


def _own_ranges(tool: Any, payload: bytes, image: Any) -> dict[str, Any]:
    graph = parse(payload)
    signature = graph.signatureDefs[0]
    data = {signature.inputs[0].name.decode(): image}
    found: dict[str, Any] = tool.calibrate({signature.signatureKey.decode(): [data]}, num_threads=1)
    return found


@lru_cache(maxsize=2)  # a quantization search uses the same images many times
def _ranges(payload: bytes, calibration: CalibrationSet, method: str) -> dict[str, Range]:
    graph = parse(payload).subgraphs[0]
    image = graph.tensors[graph.inputs[0]].name.decode()
    outputs = [i for op in graph.operators for i in op.outputs]
    names = tuple(graph.tensors[i].name.decode() for i in outputs)
    ranges = tensor_ranges(payload, names, calibration.batch, method)
    # the input is never clipped: the extremes of an image are no outliers
    return ranges | tensor_ranges(payload, (image,), calibration.batch, MIN_MAX)
