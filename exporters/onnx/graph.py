"""Conversion to float32 ONNX: named tensors, dynamic batch, no redundant Transpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import ExportError, MissingDependencyError
from runtime.terminal.silence import silenced

if TYPE_CHECKING:
    from exporters.keras_model.source import KerasSource

OPSET = 17  # read by every ONNX Runtime since 1.12 (2022)
INPUT, OUTPUT, BATCH = "image", "scores", "batch"
_TO_NHWC = [0, 2, 3, 1]


def convert(source: KerasSource) -> Any:
    """Convert a model to a float32 ``onnx.ModelProto`` and run the ONNX checker on it.

    Args:
        source: the Keras model.

    Raises:
        MissingDependencyError: tf2onnx or onnx is not installed.
        ExportError: the conversion failed or the graph does not pass the checker.

    Example::

        model = convert(load_keras(Path("model.keras")))
        onnx.save(model, "model.onnx")
    """
    try:
        import onnx
        import tensorflow as tf
        import tf2onnx
    except ImportError as error:
        raise MissingDependencyError("tf2onnx", "export", "write ONNX files") from error
    # tf2onnx.convert.from_keras fails on Keras 3; a traced function works.
    signature = [tf.TensorSpec((None, *source.image_shape), tf.float32, name=INPUT)]
    function = tf.function(
        lambda image: source.model(image, training=False), input_signature=signature
    )
    try:
        with silenced():
            model, _ = tf2onnx.convert.from_function(
                function, input_signature=signature, opset=OPSET
            )
    except Exception as error:  # tf2onnx raises many unrelated kinds
        raise ExportError(f"tf2onnx cannot convert {source.path.name}: {error}") from error
    fold_flatten_transposes(model)
    _rename(model)
    drop_unused_opsets(model)
    check(onnx, model)
    return model


def check(onnx: Any, model: Any) -> None:
    """Run the ONNX checker with full shape inference.

    Args:
        onnx: the imported ``onnx`` package.
        model: an ``onnx.ModelProto``.

    Raises:
        ExportError: the model does not pass, or uses operators of another domain.

    Example::

        check(onnx, onnx.load("model.onnx"))
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # checker and shape inference raise different kinds
        raise ExportError(f"the ONNX checker rejects the graph: {error}") from error
    custom = {n.domain for n in model.graph.node} - {"", "ai.onnx"}
    if custom:
        raise ExportError(f"the graph needs operators of {', '.join(sorted(custom))}")


def fold_flatten_transposes(model: Any) -> None:
    """Fold the Transpose before a flattened dense layer into its weights, in place.

    Convolutions run in NCHW, Keras flattens in NHWC, so a converter inserts
    ``Transpose → Reshape → MatMul``. The rows of the weight matrix are permuted to NCHW
    order instead, and the first two nodes become one Flatten.

    Args:
        model: an ``onnx.ModelProto``.

    Example::

        fold_flatten_transposes(model)
        onnx.checker.check_model(model)
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model)
    shapes = {
        value.name: [d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in inferred.graph.value_info
    }
    for matmul in [n for n in model.graph.node if n.op_type == "MatMul"]:
        _fold(model.graph, matmul, shapes)
    _drop_unused(model.graph)


def drop_unused_opsets(model: Any) -> None:
    """Remove operator sets that no node uses, in place: an engine may not have them.

    Args:
        model: an ``onnx.ModelProto``.

    Example::

        drop_unused_opsets(model)
        print([opset.domain for opset in model.opset_import])
    """
    used = {node.domain for node in model.graph.node}
    for opset in [o for o in model.opset_import if o.domain not in used]:
        model.opset_import.remove(opset)


def _fold(graph: Any, matmul: Any, shapes: dict[str, list[int]]) -> None:
    """Fold the nodes before a MatMul if they are ``Transpose → Reshape``."""
    import onnx

    reshape = _only_producer(graph, matmul.input[0], "Reshape")
    transpose = _only_producer(graph, reshape.input[0], "Transpose") if reshape else None
    weights = next((i for i in graph.initializer if i.name == matmul.input[1]), None)
    if (
        reshape is None
        or transpose is None
        or weights is None
        or list(transpose.attribute[0].ints) != _TO_NHWC
    ):
        return
    channels, height, width = (shapes.get(transpose.input[0]) or [0] * 4)[1:]
    matrix = onnx.numpy_helper.to_array(weights)
    if channels * height * width != len(matrix) or len(_consumers(graph, weights.name)) > 1:
        return
    rows = matrix.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(matrix.shape)
    weights.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(rows), weights.name))
    flatten = onnx.helper.make_node(
        "Flatten", [transpose.input[0]], [reshape.output[0]], name=f"{matmul.name}_flatten", axis=1
    )
    graph.node.insert(list(graph.node).index(reshape), flatten)
    graph.node.remove(reshape)


def _only_producer(graph: Any, tensor: str, kind: str) -> Any | None:
    """Return the producer of a tensor if it is of a kind and the tensor has one consumer."""
    producer = next((n for n in graph.node if tensor in n.output), None)
    if producer is None or producer.op_type != kind or len(_consumers(graph, tensor)) != 1:
        return None
    return producer


def _consumers(graph: Any, tensor: str) -> list[Any]:
    return [n for n in graph.node if tensor in n.input]


def _drop_unused(graph: Any) -> None:
    """Remove nodes and initializers that are no longer used."""
    outputs = {o.name for o in graph.output}
    while True:
        used = {name for node in graph.node for name in node.input} | outputs
        dead = [node for node in graph.node if not used.intersection(node.output)]
        for node in dead:
            graph.node.remove(node)
        if not dead:
            break
    for weights in [i for i in graph.initializer if i.name not in used]:
        graph.initializer.remove(weights)


def _rename(model: Any) -> None:
    """Rename the output tensor and the batch dimension."""
    graph = model.graph
    old = graph.output[0].name
    for node in graph.node:
        node.output[:] = [OUTPUT if name == old else name for name in node.output]
        node.input[:] = [OUTPUT if name == old else name for name in node.input]
    graph.output[0].name = OUTPUT
    for value in (graph.input[0], graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    del graph.value_info[:]
