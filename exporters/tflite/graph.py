"""Conversion to TFLite: static batch, built-in operators only, all weights present."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporters.conversion import converting
from runtime.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporters.keras_model.source import KerasSource

CUSTOM = 32  # BuiltinOperator.CUSTOM in the TFLite schema; Flex operators are custom ones


def convert(
    source: KerasSource, format_name: str, configure: Callable[[Any], None] | None = None
) -> bytes:
    """Run TensorFlow's TFLiteConverter on a model.

    Args:
        source: the Keras model.
        format_name: named in errors.
        configure: sets the options of the converter; None converts to float32.

    Returns:
        The TFLite file.

    Raises:
        ExportError: the conversion failed, or lost the weights.

    Example::

        payload = convert(load_keras(Path("model.keras")), "tflite")
        Path("model.tflite").write_bytes(payload)
    """
    import tensorflow as tf

    with converting(format_name, _reason):
        converter = tf.lite.TFLiteConverter.from_keras_model(_static(source))
        if configure is not None:
            configure(converter)
        payload: bytes = converter.convert()
    _check_weights(payload, source)
    return payload


def operators(payload: bytes, format_name: str) -> dict[str, int]:
    """Return the operators of a file with their versions, by name.

    Args:
        payload: a TFLite file.
        format_name: named in errors.

    Raises:
        ExportError: one is no built-in operator.

    Example::

        operators(payload, "tflite")  # {"CONV_2D": 1, "FULLY_CONNECTED": 1, ...}
    """
    found: dict[str, int] = {}
    for code in parse(payload).operatorCodes:
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        if number == CUSTOM:
            raise ExportError(
                f"format {format_name}: the model needs the operator {code.customCode!r}, "
                "which plain TFLite engines do not have"
            )
        found[_operator_name(number)] = int(code.version)
    return dict(sorted(found.items()))


def parse(payload: bytes) -> Any:
    """Return the flatbuffer as the schema's ``ModelT``.

    Example::

        (graph,) = parse(payload).subgraphs
        print([tensor.name for tensor in graph.tensors])
    """
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(payload, 0)


def pack(model: Any) -> bytes:
    """Return the flatbuffer of a schema's ``ModelT``.

    Example::

        payload = pack(parse(payload))
    """
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _static(source: KerasSource) -> Any:
    """Return the model with batch 1, so that no operator computes shapes at run time."""
    import keras

    image = keras.Input(batch_shape=(1, *source.image_shape), name="image")
    return keras.Model(image, source.model(image, training=False), name=source.model.name)


def _check_weights(payload: bytes, source: KerasSource) -> None:
    """Reject a file too small for its weights; a known converter bug drops them silently."""
    weights = source.model.count_params()
    if len(payload) < weights // 4:  # a quarter byte a weight
        raise ExportError(
            f"the converter wrote {len(payload):,} bytes for {weights:,} weights: they are missing"
        )


def _operator_name(number: int) -> str:
    from ai_edge_litert import schema_py_generated as schema

    names: dict[int, str] = {
        v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)
    }
    return names.get(number, str(number))


def _reason(error: Exception) -> str:
    """Extract the cause from a converter's message."""
    if missing := re.findall(r"'tf\.(\w+)' op is neither", str(error)):
        names = ", ".join(sorted(set(missing)))
        return f"the model needs {names}, which plain TFLite engines do not have"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line for line in lines if "error:" in line or "not supported" in line]
    return (causes or lines or [type(error).__name__])[0][:300]
