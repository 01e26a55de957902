"""Int8 ONNX files by ONNX Runtime's static quantization (QDQ)."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporters.keras_model.layer_names import short_name
from exporters.onnx.graph import INPUT, drop_unused_opsets
from exporters.quantization_options import ENTROPY, KEPT_PERCENT, MIN_MAX, PERCENTILE
from runtime.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from exporters.calibration import CalibrationSet
    from exporters.quantization_options import QuantizationOptions

METHODS = {MIN_MAX: "MinMax", PERCENTILE: "Percentile", ENTROPY: "Entropy"}  # ORT's names
_CALIBRATION_BATCH = 64
# What an engine fuses into the convolution before it; such a node goes with its layer.
_FUSED = ("Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSigmoid", "Tanh")


def prepare(graph: Any) -> Any:
    """Return the float graph that is quantized: shapes inferred, constants folded.

    Args:
        graph: a float32 ``onnx.ModelProto``; it stays as it is.
    """
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "prepared.onnx"
        onnx.save(graph, source)
        quant_pre_process(source, target)
        return onnx.load(target)


def quantize(prepared: Any, calibration: CalibrationSet, options: QuantizationOptions) -> Any:
    """Quantize a prepared float graph to int8.

    Args:
        prepared: what :func:`prepare` gave.
        calibration: images that decide the ranges.
        options: the method must be one of :data:`METHODS`.

    Returns:
        An ``onnx.ModelProto`` with QDQ nodes, float32 in and out.

    Raises:
        ExportError: a layer that is to stay in float does not exist.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(prepared, source)  # the tool would change a graph in memory
        quantize_static(
            source,
            target,
            _Reader(calibration.batch),
            quant_format=QuantFormat.QDQ,
            per_channel=options.per_channel,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_left_out(prepared.graph, options.float_layers),
            calibrate_method=getattr(CalibrationMethod, METHODS[options.method]),
            extra_options={"CalibPercentile": KEPT_PERCENT} if options.method == PERCENTILE else {},
        )
        model = onnx.load(target)
    drop_unused_opsets(model)
    return model


def layer_name(graph: Any, key: str) -> str:
    """Return a readable name of a node; folding leaves some with names that say nothing.

    Args:
        graph: the prepared graph.
        key: the node's name.
    """
    node = next(n for n in graph.node if n.name == key)
    behind = [name for user in _users(graph, node) for name in user.output]
    return short_name(key, *node.input[1:], *node.output, *behind)


def _users(graph: Any, node: Any) -> list[Any]:
    return [n for n in graph.node if set(n.input) & set(node.output)]


def _left_out(graph: Any, keys: tuple[str, ...]) -> list[str]:
    """Return the layers with the activation functions behind them.

    Without these, the values between a layer and its ReLU would be quantized too, which
    costs more than it gains.
    """
    nodes = {node.name: node for node in graph.node}
    if missing := sorted(set(keys) - nodes.keys()):
        raise ExportError(f"the model has no layer {missing[0]!r}; it has {', '.join(nodes)}")
    names = list(keys)
    for key in keys:
        users = _users(graph, nodes[key])
        if len(users) == 1 and users[0].op_type in _FUSED:
            names.append(users[0].name)
    return list(dict.fromkeys(names))


class _Reader:
    """Feeds calibration images; ORT asks any object with ``get_next``."""

    def __init__(self, batch: NDArray[np.float32]) -> None:
        # all of one size: ORT puts what they give into one array
        size = next(n for n in range(_CALIBRATION_BATCH, 0, -1) if len(batch) % n == 0)
        self._batches: Iterator[dict[str, Any]] = iter(
            {INPUT: batch[start : start + size]} for start in range(0, len(batch), size)
        )

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, or None at the end."""
        return next(self._batches, None)
