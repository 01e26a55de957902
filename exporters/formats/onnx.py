"""ONNX formats: converted by tf2onnx, quantized by ONNX Runtime."""

from __future__ import annotations

from typing import ClassVar

from exporters import budget
from exporters.base import Exporter
from exporters.conversion import converting
from exporters.onnx import quantize
from exporters.onnx.graph import check
from exporters.quantization_options import ENTROPY, MIN_MAX, PERCENTILE
from exporters.request import ExportRequest


class OnnxExporter(Exporter):
    """Base class of the ONNX formats: dynamic batch size, one operator set."""

    suffix: ClassVar[str] = ".onnx"

    def _operators(self, payload: bytes) -> dict[str, int]:
        import onnx

        model = onnx.load_model_from_string(payload)
        return {f"opset {o.domain or 'ai.onnx'}": int(o.version) for o in model.opset_import}


class Float32(OnnxExporter):
    """Weights and arithmetic in float32."""

    name: ClassVar[str] = "onnx"
    variant: ClassVar[str] = "float32"
    scheme: ClassVar[str] = "float32"
    budget: ClassVar[budget.ParityBudget] = budget.EXACT
    rank: ClassVar[int] = 10

    def _convert(self, request: ExportRequest) -> bytes:
        return bytes(request.graphs.onnx.SerializeToString())


class Float16(OnnxExporter):
    """Weights and arithmetic in float16, float32 in and out; for GPUs."""

    name: ClassVar[str] = "onnx-float16"
    variant: ClassVar[str] = "float16"
    scheme: ClassVar[str] = "float16, float32 in and out"
    budget: ClassVar[budget.ParityBudget] = budget.HALF
    rank: ClassVar[int] = 11

    def _convert(self, request: ExportRequest) -> bytes:
        import onnx
        from onnxruntime.transformers.float16 import convert_float_to_float16
        from onnxruntime.transformers.onnx_model import OnnxModel

        copy = onnx.ModelProto()
        copy.CopyFrom(request.graphs.onnx)
        with converting(self.name):
            model = convert_float_to_float16(copy, keep_io_types=True)
            OnnxModel(model).topological_sort()  # the new casts stand at the end otherwise
        check(onnx, model)
        return bytes(model.SerializeToString())


class Int8(OnnxExporter):
    """Static QDQ: int8 weights per channel, int8 activations, float32 in and out."""

    name: ClassVar[str] = "onnx-int8"
    variant: ClassVar[str] = "int8"
    needs_calibration: ClassVar[bool] = True
    scheme: ClassVar[str] = "QDQ, int8 weights (per channel) and activations, float32 in and out"
    methods: ClassVar[tuple[str, ...]] = (MIN_MAX, PERCENTILE, ENTROPY)
    per_tensor: ClassVar[bool] = True
    mixed: ClassVar[bool] = True
    budget: ClassVar[budget.ParityBudget] = budget.INTEGER
    rank: ClassVar[int] = 12

    def _convert(self, request: ExportRequest) -> bytes:
        import onnx

        calibration = request.require_calibration(self.name)
        prepared = request.graphs.onnx_prepared
        with converting(self.name):
            model = quantize.quantize(prepared, calibration, request.quantization)
        check(onnx, model)
        return bytes(model.SerializeToString())

    def _layer_name(self, request: ExportRequest, key: str) -> str:
        return quantize.layer_name(request.graphs.onnx_prepared.graph, key)
