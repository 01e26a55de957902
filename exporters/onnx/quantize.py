"""Static int8 quantization of ONNX graphs (QDQ), by ONNX Runtime."""

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

METHODS = {MIN_MAX: "MinMax", PERCENTILE: "Percentile", ENTROPY: "Entropy"}  # names in ONNX Runtime
_CALIBRATION_BATCH = 64
# Engines fuse these into the convolution before them; such a node belongs to its layer.
_FUSED = ("Relu", "Clip", "LeakyRelu", "Sigmoid", "HardSigmoid", "Tanh")


def prepare(graph: Any) -> Any:
    """Prepare a float graph for quantization: infer shapes, fold constants.

    Args:
        graph: a float32 ``onnx.ModelProto``; it is not changed.

    Returns:
        The prepared ``onnx.ModelProto``.

    Example::

        prepared = prepare(onnx.load("model.onnx"))
        print([node.name for node in prepared.graph.node])
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
        prepared: the result of :func:`prepare`.
        calibration: images from which the ranges are computed.
        options: quantization options; the method must be one of :data:`METHODS`.

    Returns:
        An ``onnx.ModelProto`` with QDQ nodes, float32 in and out.

    Raises:
        ExportError: a layer that is to stay in float does not exist.

    Example::

        model = quantize(prepared, calibration, QuantizationOptions(per_channel=False))
        onnx.save(model, "model.int8.onnx")
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(prepared, source)  # quantize_static changes a graph in memory
        quantize_static(
            source,
            target,
            _Reader(calibration.batch),
            quant_format=QuantFormat.QDQ,
            per_channel=options.per_channel,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_with_activations(prepared.graph, options.float_layers),
            calibrate_method=getattr(CalibrationMethod, METHODS[options.method]),
            extra_options={"CalibPercentile": KEPT_PERCENT} if options.method == PERCENTILE else {},
        )
        model = onnx.load(target)
    drop_unused_opsets(model)
    return model


def layer_name(graph: Any, key: str) -> str:
    """Return a readable name of a node; folding leaves some without the layer's name.

    Args:
        graph: the prepared graph.
        key: the name of the node.

    Example::

        layer_name(prepared.graph, "Conv__87")  # "stem"
    """
    node = next(n for n in graph.node if n.name == key)
    following = [name for consumer in _consumers(graph, node) for name in consumer.output]
    return short_name(key, *node.input[1:], *node.output, *following)


def _consumers(graph: Any, node: Any) -> list[Any]:
    return [n for n in graph.node if set(n.input) & set(node.output)]


def _with_activations(graph: Any, keys: tuple[str, ...]) -> list[str]:
    """Return the layers together with the activation functions that follow them.

    Otherwise the values between a layer and its ReLU would be quantized, which loses more
    accuracy than the float layer gains.
    """
    nodes = {node.name: node for node in graph.node}
    if missing := sorted(set(keys) - nodes.keys()):
        raise ExportError(f"the model has no layer {missing[0]!r}; it has {', '.join(nodes)}")
    names = list(keys)
    for key in keys:
        consumers = _consumers(graph, nodes[key])
        if len(consumers) == 1 and consumers[0].op_type in _FUSED:
            names.append(consumers[0].name)
    return list(dict.fromkeys(names))


class _Reader:
    """Calibration data reader: any object with ``get_next`` serves ONNX Runtime."""

    def __init__(self, batch: NDArray[np.float32]) -> None:
        # all batches of one size: ONNX Runtime stacks their outputs
        size = next(n for n in range(_CALIBRATION_BATCH, 0, -1) if len(batch) % n == 0)
        self._batches: Iterator[dict[str, Any]] = iter(
            {INPUT: batch[start : start + size]} for start in range(0, len(batch), size)
        )

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, or None at the end."""
        return next(self._batches, None)
