"""The ONNX family: tf2onnx makes the graph, ONNX Runtime's tools quantize it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from exporters import budget
from exporters.base import Exporter, ExportRequest
from exporters.onnx_graph import INPUT, check, drop_unused_opsets
from runtime.errors import ExportError
from runtime.quiet import silenced

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

_CALIBRATION_BATCH = 64


class OnnxExporter(Exporter):
    """What the formats share: a free batch size and the operator set."""

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
        return bytes(request.source.onnx_graph.SerializeToString())


class Float16(OnnxExporter):
    """Weights and arithmetic in float16, float32 in and out; made for GPUs."""

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
        copy.CopyFrom(request.source.onnx_graph)
        try:
            with silenced():
                model = convert_float_to_float16(copy, keep_io_types=True)
                OnnxModel(model).topological_sort()  # its casts stand at the end otherwise
        except Exception as error:  # the tool raises many unrelated kinds
            raise ExportError(f"format {self.name}: {error}") from error
        check(onnx, model)
        return bytes(model.SerializeToString())


class Int8(OnnxExporter):
    """Static QDQ: int8 weights per channel, int8 activations, float32 in and out."""

    name: ClassVar[str] = "onnx-int8"
    variant: ClassVar[str] = "int8"
    needs_calibration: ClassVar[bool] = True
    scheme: ClassVar[str] = "QDQ, int8 weights (per channel) and activations, float32 in and out"
    budget: ClassVar[budget.ParityBudget] = budget.INTEGER
    rank: ClassVar[int] = 12

    def _convert(self, request: ExportRequest) -> bytes:
        import onnx

        if request.calibration is None:
            raise ExportError("no calibration images")
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "int8.onnx"
            try:
                with silenced():
                    _quantize(request, Path(folder), target)
            except Exception as error:  # the tools raise many unrelated kinds
                raise ExportError(f"format {self.name}: {error}") from error
            model = onnx.load(target)
        drop_unused_opsets(model)
        check(onnx, model)
        return bytes(model.SerializeToString())


def _quantize(request: ExportRequest, folder: Path, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    source, prepared = folder / "float.onnx", folder / "prepared.onnx"
    onnx.save(request.source.onnx_graph, source)
    quant_pre_process(source, prepared)
    assert request.calibration is not None  # noqa: S101 - checked by the caller
    quantize_static(
        prepared,
        target,
        _Reader(request.calibration.batch),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )


class _Reader:
    """Feeds calibration images; ORT asks any object with ``get_next``."""

    def __init__(self, batch: NDArray[np.float32]) -> None:
        self._batches: Iterator[dict[str, Any]] = iter(
            {INPUT: batch[start : start + _CALIBRATION_BATCH]}
            for start in range(0, len(batch), _CALIBRATION_BATCH)
        )

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, or None at the end."""
        return next(self._batches, None)
