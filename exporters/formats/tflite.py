"""The TFLite family, by TensorFlow's TFLiteConverter."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from exporters import budget
from exporters.base import Exporter, ExportRequest
from runtime.errors import ExportError
from runtime.quiet import silenced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

_CUSTOM = 32  # BuiltinOperator.CUSTOM in the TFLite schema; Flex operators are custom ones


class TfliteExporter(Exporter):
    """What the formats share: one static batch of 1, built-in operators only."""

    suffix: ClassVar[str] = ".tflite"

    def _convert(self, request: ExportRequest) -> bytes:
        import tensorflow as tf

        try:
            with silenced():
                converter = tf.lite.TFLiteConverter.from_keras_model(_static(request))
                self._configure(converter, request)
                payload: bytes = converter.convert()
        except Exception as error:  # the converter raises many unrelated kinds
            raise ExportError(f"format {self.name}: {_reason(error)}") from error
        _check_weights(payload, request)
        return payload

    @abstractmethod
    def _configure(self, converter: Any, request: ExportRequest) -> None:
        """Set the converter's options."""

    def _operators(self, payload: bytes) -> dict[str, int]:
        operators: dict[str, int] = {}
        for code in _model(payload).operatorCodes:
            number = max(code.builtinCode, code.deprecatedBuiltinCode)
            if number == _CUSTOM:
                raise ExportError(
                    f"format {self.name}: the model needs the operator {code.customCode!r}, "
                    "which plain TFLite engines do not have"
                )
            operators[_operator_name(number)] = int(code.version)
        return dict(sorted(operators.items()))


class Float32(TfliteExporter):
    """Weights and arithmetic in float32."""

    name: ClassVar[str] = "tflite"
    variant: ClassVar[str] = "float32"
    scheme: ClassVar[str] = "float32"
    budget: ClassVar[budget.ParityBudget] = budget.EXACT
    rank: ClassVar[int] = 0

    def _configure(self, converter: Any, request: ExportRequest) -> None:
        """Need nothing: float32 is the converter's default."""


class Float16(TfliteExporter):
    """Weights in float16: half the size, arithmetic mostly in float32."""

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
    """Weights in int8, activations quantized while running; no calibration."""

    name: ClassVar[str] = "tflite-dynamic"
    variant: ClassVar[str] = "dynamic"
    scheme: ClassVar[str] = "int8 weights, activations quantized at run time"
    budget: ClassVar[budget.ParityBudget] = budget.INTEGER
    rank: ClassVar[int] = 2

    def _configure(self, converter: Any, request: ExportRequest) -> None:
        import tensorflow as tf

        converter.optimizations = [tf.lite.Optimize.DEFAULT]


class Int8(TfliteExporter):
    """Full integer: int8 weights, activations, input and output."""

    name: ClassVar[str] = "tflite-int8"
    variant: ClassVar[str] = "int8"
    needs_calibration: ClassVar[bool] = True
    scheme: ClassVar[str] = "int8 weights (per channel) and activations, int8 in and out"
    budget: ClassVar[budget.ParityBudget] = budget.INTEGER
    rank: ClassVar[int] = 3

    def _configure(self, converter: Any, request: ExportRequest) -> None:
        import tensorflow as tf

        _calibrate(converter, request)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8


class Int16x8(TfliteExporter):
    """Int16 activations and int8 weights: precise, but slow where XNNPACK lacks it."""

    name: ClassVar[str] = "tflite-int16x8"
    variant: ClassVar[str] = "int16x8"
    needs_calibration: ClassVar[bool] = True
    scheme: ClassVar[str] = "int8 weights (per channel), int16 activations, float32 in and out"
    budget: ClassVar[budget.ParityBudget] = budget.INT16_ACTIVATIONS
    rank: ClassVar[int] = 4
    check_images: ClassVar[int] = 64  # reference kernels: about 20 ms an image

    def _configure(self, converter: Any, request: ExportRequest) -> None:
        import tensorflow as tf

        _calibrate(converter, request)
        ops = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [ops]


def _static(request: ExportRequest) -> Any:
    """Wrap the model in one with batch 1, so that no operator computes shapes at run time."""
    import keras

    source = request.source
    image = keras.Input(batch_shape=(1, *source.image_shape), name="image")
    return keras.Model(image, source.model(image, training=False), name=source.model.name)


def _calibrate(converter: Any, request: ExportRequest) -> None:
    import tensorflow as tf

    if request.calibration is None:
        raise ExportError("no calibration images")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _feeder(request.calibration.batch)


def _feeder(batch: NDArray[np.float32]) -> Callable[[], Iterator[list[NDArray[np.float32]]]]:
    def feed() -> Iterator[list[NDArray[np.float32]]]:
        for index in range(len(batch)):
            yield [batch[index : index + 1]]

    return feed


def _check_weights(payload: bytes, request: ExportRequest) -> None:
    """Refuse a file too small for its weights; a known converter bug drops them silently."""
    least = request.source.model.count_params() // 4  # a quarter byte a weight
    if len(payload) < least:
        raise ExportError(
            f"the converter wrote {len(payload):,} bytes for "
            f"{request.source.model.count_params():,} weights: they are missing"
        )


def _model(payload: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(payload, 0)


def _operator_name(number: int) -> str:
    from ai_edge_litert import schema_py_generated as schema

    names: dict[int, str] = {
        v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)
    }
    return names.get(number, str(number))


def _reason(error: Exception) -> str:
    """Return the part of a converter's message that says what is wrong."""
    if missing := re.findall(r"'tf\.(\w+)' op is neither", str(error)):
        names = ", ".join(sorted(set(missing)))
        return f"the model needs {names}, which plain TFLite engines do not have"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "not supported" in line]
    return (telling or lines or [type(error).__name__])[0][:300]
