"""An ONNX graph as objects: its edges, its constants, and extraction of a part."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.backends.onnxruntime import session_settings
from runtime.errors import ArtifactError, BackendError, MissingDependencyError
from runtime.terminal.silence import silenced
from toolkit.inspection.base import Coding, per_channel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

QUANTIZE, DEQUANTIZE = "QuantizeLinear", "DequantizeLinear"
_CONVERTING = (QUANTIZE, DEQUANTIZE, "Cast")
_BATCH = 64


class OnnxGraph:
    """The graph of an ONNX model."""

    def __init__(self, payload: bytes) -> None:
        """Parse the protobuf.

        Raises:
            ArtifactError: it is no ONNX model.
            MissingDependencyError: onnx is not installed.
        """
        try:
            import onnx
        except ImportError as error:
            raise MissingDependencyError("onnx", "export", "inspect .onnx files") from error
        try:
            self.model: Any = onnx.load_model_from_string(payload)
        except Exception as error:  # protobuf's DecodeError has no public base
            raise ArtifactError(f"the ONNX file is damaged: {error}") from error
        self._onnx: Any = onnx
        for number, node in enumerate(self.model.graph.node):
            node.name = node.name or f"{node.op_type}_{number}"
        self.nodes: list[Any] = list(self.model.graph.node)
        self.weights: dict[str, Any] = {i.name: i for i in self.model.graph.initializer}
        inputs = [i for i in self.model.graph.input if i.name not in self.weights]
        if len(inputs) != 1 or not self.nodes:
            raise ArtifactError(f"the ONNX model has {len(inputs)} inputs, not one")
        self.image: Any = inputs[0]

    @cached_property
    def makers(self) -> dict[str, Any]:
        """The node that writes each tensor."""
        return {out: node for node in self.nodes for out in node.output}

    @cached_property
    def _users(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    @cached_property
    def constants(self) -> frozenset[str]:
        """Tensors that do not depend on the image: weights, and what is computed from them only."""
        found = set(self.weights)
        for node in self.nodes:
            if all(name in found for name in node.input if name):
                found |= set(node.output)
        return frozenset(found)

    @cached_property
    def _types(self) -> dict[str, int]:
        """The element type of each tensor that shape inference finds."""
        with silenced():
            inferred = self._onnx.shape_inference.infer_shapes(self.model).graph
        values = (*inferred.value_info, *inferred.input, *inferred.output)
        return {value.name: value.type.tensor_type.elem_type for value in values}

    def users(self, tensor: str) -> list[Any]:
        """Return the nodes that read a tensor."""
        return self._users.get(tensor, [])

    def converts(self, node: Any) -> bool:
        """Whether a node only quantizes, dequantizes or casts."""
        return node.op_type in _CONVERTING

    def constant(self, tensor: str) -> NDArray[Any]:
        """Return the values of a constant tensor.

        Raises:
            ArtifactError: its operator can only be run by an engine.
        """
        helper = self._onnx.numpy_helper
        if tensor in self.weights:
            return np.asarray(helper.to_array(self.weights[tensor]))
        node = self.makers[tensor]
        if node.op_type == "Constant":
            return np.asarray(helper.to_array(node.attribute[0].t))
        if node.op_type == "Cast":
            return self.constant(node.input[0])
        raise ArtifactError(f"the constant {tensor} is made by {node.op_type}: not supported")

    def coding(self, node: Any) -> Coding:
        """Return how a QuantizeLinear stores, or a DequantizeLinear reads, an activation."""
        zero = self.constant(node.input[2]) if len(node.input) > 2 else np.zeros(1, np.uint8)
        return Coding(float(self.constant(node.input[1])), int(zero.reshape(-1)[0]), zero.dtype)

    def real(self, tensor: str, channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return a constant as real numbers, and the step of each output channel.

        Args:
            tensor: weights or bias, after a DequantizeLinear if quantized.
            channels: how many output channels it serves.
        """
        maker = self.makers.get(tensor)
        if maker is None or maker.op_type != DEQUANTIZE:
            return self.constant(tensor).astype(np.float32), np.zeros(channels, np.float32)
        stored, scales = (self.constant(name) for name in maker.input[:2])
        zeros = self.constant(maker.input[2]) if len(maker.input) > 2 else np.zeros_like(scales)
        shape = [1] * stored.ndim
        if scales.size > 1:
            shape[attribute(maker, "axis", 1)] = -1
        real = stored.astype(np.float32) - zeros.astype(np.float32).reshape(shape)
        return (real * scales.reshape(shape)).astype(np.float32), per_channel(scales, channels)

    def cut(self, inputs: Mapping[str, Coding | None], outputs: Iterable[str]) -> bytes:
        """Return a model of the nodes between some tensors and others, constants included.

        Args:
            inputs: tensors to feed, and how they store real values.
            outputs: tensors to compute.
        """
        helper, wanted = self._onnx.helper, list(outputs)
        nodes = self._between(set(inputs), wanted)
        names = {name for node in nodes for name in node.input}
        made = {o for node in nodes for o in node.output}
        graph = helper.make_graph(
            nodes,
            "part",
            [self._info(name) for name in inputs],
            [self._info(name) for name in wanted],
            [self.weights[name] for name in self.weights if name in names and name not in made],
        )
        model = helper.make_model(graph, opset_imports=self.model.opset_import)
        model.ir_version = self.model.ir_version
        return bytes(model.SerializeToString())

    def dtype(self, tensor: str) -> np.dtype[Any]:
        """Return the element type of a tensor; float32 if it is not known."""
        known = self._types.get(tensor) or self._onnx.TensorProto.FLOAT
        return np.dtype(self._onnx.helper.tensor_dtype_to_np_dtype(known))

    def _info(self, tensor: str) -> Any:
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(self.dtype(tensor))
        return self._onnx.helper.make_tensor_value_info(tensor, kind, None)

    def _between(self, known: set[str], wanted: list[str]) -> list[Any]:
        """Return the nodes that compute ``wanted`` from ``known``, in their order."""
        needed, open_ = set(), list(wanted)
        while open_:
            tensor = open_.pop()
            node = self.makers.get(tensor)
            if tensor in known or node is None or node.name in needed:
                continue
            needed.add(node.name)
            open_ += list(node.input)
        return [node for node in self.nodes if node.name in needed]

    @property
    def batch(self) -> int:
        """How many images to run at once: the fixed batch size of the graph, or many."""
        dims = self.image.type.tensor_type.shape.dim
        return int(dims[0].dim_value) if dims and dims[0].dim_value else _BATCH


def attribute(node: Any, name: str, default: int) -> int:
    """Return an integer attribute of a node."""
    return next((int(one.i) for one in node.attribute if one.name == name), default)


def run(payload: bytes, inputs: Mapping[str, NDArray[Any]], batch: int) -> Sequence[NDArray[Any]]:
    """Run a model in ONNX Runtime.

    Args:
        payload: the protobuf.
        inputs: (n, …) each, by tensor name, in the types of the tensors.
        batch: how many images at once.

    Returns:
        (n, …) each, in the order of the outputs.

    Raises:
        BackendError: the engine refuses the model.
    """
    import onnxruntime as ort

    options = session_settings(ort, threads=1)
    try:
        with silenced():
            session = ort.InferenceSession(payload, options, providers=["CPUExecutionProvider"])
        count = len(next(iter(inputs.values())))
        parts = [
            session.run(None, {name: v[start : start + batch] for name, v in inputs.items()})
            for start in range(0, count, batch)
        ]
    except Exception as error:  # ORT's exceptions have no common base but Exception
        raise BackendError(f"onnxruntime refuses a part of the model: {error}") from error
    return [np.concatenate(rows) for rows in zip(*parts, strict=True)]
