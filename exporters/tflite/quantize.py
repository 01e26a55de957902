"""Int8 TFLite files by ai-edge-quantizer: chosen ranges, layers left in float."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.quantization_options import MIN_MAX
from exporters.tflite.biases import mend_biases
from exporters.tflite.graph import parse
from exporters.tflite.ranges import Range, tensor_ranges
from runtime.errors import ExportError, MissingDependencyError

if TYPE_CHECKING:
    from exporters.calibration import CalibrationSet
    from exporters.quantization_options import QuantizationOptions


def quantize(payload: bytes, calibration: CalibrationSet, options: QuantizationOptions) -> bytes:
    """Quantize a float32 TFLite file to int8.

    Input and output are int8 unless the layer there stays in float. ai-edge-quantizer's
    own calibration is a moving average of the extremes; ranges are taken here instead.

    Raises:
        ExportError: a layer that is to stay in float does not exist.
        MissingDependencyError: ai-edge-quantizer is not installed.
    """
    try:
        from ai_edge_quantizer.quantizer import Quantizer
    except ImportError as error:
        raise MissingDependencyError(
            "ai-edge-quantizer", "export", "choose ranges or leave layers in float"
        ) from error
    tool = Quantizer(payload)
    _set_recipe(tool, payload, options)
    ranges = _calibrate(tool, payload, calibration, options.method)
    result = tool.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    return _finished(bytes(result.quantized_model), payload)


def _finished(payload: bytes, original: bytes) -> bytes:
    """Put all weights into the flatbuffer, and mend biases that were cut off.

    From 256 KB on the tool appends large weights behind it, where engines of before 2024
    and most tools that read the schema do not look for them.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(payload))
    mend_biases(model, parse(original))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _set_recipe(tool: Any, payload: bytes, options: QuantizationOptions) -> None:
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.qtyping import QuantGranularity, TFLOperationName

    everything = TFLOperationName.ALL_SUPPORTED
    grain = QuantGranularity.CHANNELWISE if options.per_channel else QuantGranularity.TENSORWISE
    tool.add_static_config(".*", everything, 8, 8, weight_granularity=grain)
    first, last = _check_layers(payload, options.float_layers)
    for key in options.float_layers:
        # the tool joins the names of an operator's outputs, each with a ";" behind it
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
    made = [[graph.tensors[i].name.decode() for i in op.outputs] for op in graph.operators]
    known = {name for names in made for name in names}
    if missing := sorted(set(keys) - known):
        raise ExportError(
            f"the model has no layer {missing[0]!r}; it has {', '.join(sorted(known))}"
        )
    chosen = [bool(set(names) & set(keys)) for names in made]
    takes_image = [graph.inputs[0] in op.inputs for op in graph.operators]
    first = all(is_float for is_float, takes in zip(chosen, takes_image, strict=True) if takes)
    gives = [graph.outputs[0] in op.outputs for op in graph.operators]
    last = any(is_float for is_float, is_last in zip(chosen, gives, strict=True) if is_last)
    return first, last


def _calibrate(
    tool: Any, payload: bytes, calibration: CalibrationSet, method: str
) -> dict[str, Any]:
    """Put our ranges where the tool expects those of its own calibration."""
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


@lru_cache(maxsize=2)  # a search quantizes many times with the same images
def _ranges(payload: bytes, calibration: CalibrationSet, method: str) -> dict[str, Range]:
    graph = parse(payload).subgraphs[0]
    image = graph.tensors[graph.inputs[0]].name.decode()
    made = [i for op in graph.operators for i in op.outputs]
    names = tuple(graph.tensors[i].name.decode() for i in made)
    ranges = tensor_ranges(payload, names, calibration.batch, method)
    # an image is never clipped: its extremes are no outliers
    return ranges | tensor_ranges(payload, (image,), calibration.batch, MIN_MAX)
