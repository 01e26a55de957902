"""TFLite formats, by TensorFlow's TFLiteConverter and litert-quantizer."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from exporters import budget
from exporters.base import Exporter
from exporters.conversion import converting
from exporters.quantization_options import ENTROPY, MIN_MAX, MSE, PERCENTILE
from exporters.request import ExportRequest
from exporters.tflite import graph, quantize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray


class TfliteExporter(Exporter):
    """Base class of the TFLite formats: static batch of 1, built-in operators only."""

    suffix: ClassVar[str] = ".tflite"

    def _convert(self, request: ExportRequest) -> bytes:
        return graph.convert(
            request.source, self.name, lambda converter: self._configure(converter, request)
        )

    @abstractmethod
    def _configure(self, converter: Any, request: ExportRequest) -> None:
        """Set the options of the converter."""

    def _operators(self, payload: bytes) -> dict[str, int]:
        return graph.operators(payload, self.name)


class Float32(TfliteExporter):
    """Weights and arithmetic in float32."""

    name: ClassVar[str] = "tflite"
    variant: ClassVar[str] = "float32"
    scheme: ClassVar[str] = "float32"
    budget: ClassVar[budget.ParityBudget] = budget.EXACT
    rank: ClassVar[int] = 0

    def _convert(self, request: ExportRequest) -> bytes:
        return request.graphs.tflite

    def _configure(self, converter: Any, request: ExportRequest) -> None:
        """Set no option: float32 is the default of the converter."""


class Float16(TfliteExporter):
    """Weights in float16, half the size; arithmetic mostly in float32."""

    name: ClassVar[str] = "tflite-float16"
    variant: ClassVar[str] = "float16"
    scheme: ClassVar[str] = "float16 weights"
    budget: ClassVar[budget.ParityBudget] = budget.HALF
    rank: ClassVar[int] = 1

    def _configure(self, converter: Any, request: ExportRequest) -> None:
        import tensorflow as tf

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]


class DynamicRange(TfliteExporter):
    """Dynamic range: int8 weights, activations quantized at run time; no calibration."""

    name: ClassVar[str] = "tflite-dynamic"
    variant: ClassVar[str] = "dynamic"
    scheme: ClassVar[str] = "int8 weights (per channel), activations quantized at run time"
    per_tensor: ClassVar[bool] = True
    budget: ClassVar[budget.ParityBudget] = budget.INTEGER
    rank: ClassVar[int] = 2

    def _configure(self, converter: Any, request: ExportRequest) -> None:
        import tensorflow as tf

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        _set_granularity(converter, request)


class Int8(TfliteExporter):
    """Full integer: weights, activations, input and output in int8."""

    name: ClassVar[str] = "tflite-int8"
    variant: ClassVar[str] = "int8"
    needs_calibration: ClassVar[bool] = True
    scheme: ClassVar[str] = "int8 weights (per channel) and activations, int8 in and out"
    methods: ClassVar[tuple[str, ...]] = (MIN_MAX, PERCENTILE, ENTROPY, MSE)
    per_tensor: ClassVar[bool] = True
    mixed: ClassVar[bool] = True
    budget: ClassVar[budget.ParityBudget] = budget.INTEGER
    rank: ClassVar[int] = 3

    def _convert(self, request: ExportRequest) -> bytes:
        """Use TFLiteConverter for what it supports, litert-quantizer for the other options."""
        options = request.quantization
        if options.method == MIN_MAX and not options.float_layers:
            return super()._convert(request)
        calibration = request.require_calibration(self.name)
        with converting(self.name):
            return quantize.quantize(request.graphs.tflite, calibration, options)

    def _configure(self, converter: Any, request: ExportRequest) -> None:
        import tensorflow as tf

        _quantize_activations(converter, request, self.name)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8


class Int16x8(TfliteExporter):
    """Int16 activations and int8 weights: precise, but slow without an XNNPACK kernel."""

    name: ClassVar[str] = "tflite-int16x8"
    variant: ClassVar[str] = "int16x8"
    needs_calibration: ClassVar[bool] = True
    scheme: ClassVar[str] = "int8 weights (per channel), int16 activations, float32 in and out"
    # never per tensor: TFLiteConverter fails on depthwise convolutions then
    methods: ClassVar[tuple[str, ...]] = (MIN_MAX,)
    budget: ClassVar[budget.ParityBudget] = budget.INT16_ACTIVATIONS
    rank: ClassVar[int] = 4
    check_images: ClassVar[int] = 64  # its reference kernels are slow

    def _configure(self, converter: Any, request: ExportRequest) -> None:
        import tensorflow as tf

        _quantize_activations(converter, request, self.name)
        ops = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [ops]
        # For int16 the converter always uses its old quantizer, which calibrates by itself;
        # with the new one enabled it calibrates twice, for the same bytes.
        converter.experimental_new_quantizer = False


def _quantize_activations(converter: Any, request: ExportRequest, format_name: str) -> None:
    import tensorflow as tf

    calibration = request.require_calibration(format_name)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _representative_dataset(calibration.batch)
    _set_granularity(converter, request)


def _set_granularity(converter: Any, request: ExportRequest) -> None:
    """Quantize weights per tensor if asked to; the converter has no public option for it."""
    if not request.quantization.per_channel:
        converter._experimental_disable_per_channel = True  # noqa: SLF001


def _representative_dataset(
    batch: NDArray[np.float32],
) -> Callable[[], Iterator[list[NDArray[np.float32]]]]:
    def samples() -> Iterator[list[NDArray[np.float32]]]:
        for index in range(len(batch)):
            yield [batch[index : index + 1]]

    return samples
