"""A TFLite flatbuffer as objects: its edges, its constants, and extraction of a part."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.tflite.graph import pack
from runtime.errors import ArtifactError, BackendError, MissingDependencyError
from runtime.terminal.silence import silenced
from toolkit.inspection.base import Coding, per_channel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_IDENTIFIER = b"TFL3"
_CONVERTING = ("QUANTIZE", "DEQUANTIZE")
_DTYPES = ("float32", "float16", "int8", "uint8", "int16", "uint16", "int32", "int64", "bool")
_INT4 = 17  # TensorType of the TFLite schema


class TfliteGraph:
    """The one subgraph of a TFLite model."""

    def __init__(self, payload: bytes) -> None:
        """Parse the flatbuffer.

        Raises:
            ArtifactError: no TFLite model, or one with several subgraphs.
            MissingDependencyError: ai-edge-litert is not installed.
        """
        try:
            from ai_edge_litert import schema_py_generated as schema
        except ImportError as error:
            raise MissingDependencyError("ai-edge-litert", "litert", "read .tflite") from error
        if payload[4:8] != _IDENTIFIER:
            raise ArtifactError("not a TFLite model (its bytes 4 to 7 are not TFL3)")
        try:
            self._model: Any = schema.ModelT.InitFromPackedBuf(payload, 0)
        except Exception as error:  # flatbuffers reads wherever damaged offsets point
            raise ArtifactError(f"the TFLite file is damaged: {error}") from error
        self._schema: Any = schema
        self._fetch(payload)
        if len(self._model.subgraphs) != 1:
            raise ArtifactError("a TFLite model with several subgraphs cannot be inspected")
        self.tensors: list[Any] = self._model.subgraphs[0].tensors
        self.operators: list[Any] = self._model.subgraphs[0].operators or []
        self.inputs: list[int] = [int(i) for i in self._model.subgraphs[0].inputs]
        self.outputs: list[int] = [int(i) for i in self._model.subgraphs[0].outputs]

    def _fetch(self, payload: bytes) -> None:
        """Read the weights that follow the flatbuffer, as litert-quantizer writes them."""
        for buffer in self._model.buffers:
            if buffer.offset > 1 and buffer.size:
                end = buffer.offset + buffer.size
                if end > len(payload):
                    raise ArtifactError("the TFLite file is damaged: weights are missing")
                buffer.data = np.frombuffer(payload[buffer.offset : end], np.uint8)
                buffer.offset = buffer.size = 0

    @cached_property
    def _dtypes(self) -> dict[int, np.dtype[Any]]:
        """The numpy type of each TensorType that numpy knows."""
        numbers = vars(self._schema.TensorType)
        return {numbers[name.upper()]: np.dtype(name) for name in _DTYPES}

    @cached_property
    def _operator_names(self) -> dict[int, str]:
        names = vars(self._schema.BuiltinOperator).items()
        return {number: name for name, number in names if isinstance(number, int)}

    @cached_property
    def makers(self) -> dict[int, Any]:
        """The operator that writes each tensor."""
        return {int(out): operator for operator in self.operators for out in operator.outputs}

    @cached_property
    def constants(self) -> frozenset[int]:
        """Tensors that do not depend on the image: weights, and what is computed from them only."""
        found = {i for i, tensor in enumerate(self.tensors) if self._stored(tensor) is not None}
        for operator in self.operators:
            if all(int(i) in found or i < 0 for i in operator.inputs):
                found |= {int(out) for out in operator.outputs}
        return frozenset(found - set(self.inputs))

    def kind(self, operator: Any) -> str:
        """Return the operator's name in the schema, for example ``CONV_2D``."""
        code = self._model.operatorCodes[operator.opcodeIndex]
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        return self._operator_names.get(number, str(number))

    def converts(self, operator: Any) -> bool:
        """Whether an operator only quantizes or dequantizes."""
        return self.kind(operator) in _CONVERTING

    def name(self, tensor: int) -> str:
        """Return a tensor's name."""
        raw = self.tensors[tensor].name or b""
        return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return a tensor's shape."""
        shape = self.tensors[tensor].shape
        return () if shape is None else tuple(int(n) for n in shape)

    def users(self, tensor: int) -> list[Any]:
        """Return the operators that read a tensor."""
        return [
            operator
            for operator in self.operators
            if tensor in [int(index) for index in operator.inputs]
        ]

    def dtype(self, tensor: int) -> np.dtype[Any]:
        """Return the element type of a tensor.

        Raises:
            ArtifactError: numpy has no such type.
        """
        number = self.tensors[tensor].type
        if number == _INT4:
            return np.dtype(np.int8)  # numpy has no int4
        if number not in self._dtypes:
            raise ArtifactError(f"tensor {self.name(tensor)} has a type that cannot be read")
        return self._dtypes[number]

    def coding(self, tensor: int) -> Coding | None:
        """Return how an activation is quantized; None if it is float."""
        quantization = self.tensors[tensor].quantization
        if quantization is None or quantization.scale is None or not len(quantization.scale):
            return None
        zero = quantization.zeroPoint
        point = 0 if zero is None or not len(zero) else int(zero[0])
        return Coding(float(quantization.scale[0]), point, self.dtype(tensor))

    def real(self, tensor: int, channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return a constant as real numbers, and the step of each output channel.

        Args:
            tensor: weights or bias; also float16 weights after a DEQUANTIZE.
            channels: how many output channels it serves.
        """
        while self._stored(self.tensors[tensor]) is None:
            tensor = int(self.makers[tensor].inputs[0])
        stored, quantization = self._values(tensor), self.tensors[tensor].quantization
        if quantization is None or quantization.scale is None or not len(quantization.scale):
            return stored.astype(np.float32), np.zeros(channels, np.float32)
        shape = [1] * stored.ndim
        shape[quantization.quantizedDimension] = -1
        scales, zeros = (
            np.asarray(part, np.float32).reshape(shape if len(part) > 1 else [1] * stored.ndim)
            for part in (quantization.scale, quantization.zeroPoint)
        )
        real = (stored.astype(np.float32) - zeros) * scales
        return real, per_channel(scales, channels)

    def cut(self, operators: Sequence[Any], inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Return a model of these operators only, with the constants that they need."""
        tensors: dict[int, int] = {}
        buffers = [self._schema.BufferT()]
        graph = self._schema.SubGraphT(tensors=[])
        for old in [*inputs, *outputs, *(i for o in operators for i in (*o.inputs, *o.outputs))]:
            if old < 0 or int(old) in tensors:
                continue
            tensors[int(old)] = len(graph.tensors)
            tensor = copy.copy(self.tensors[old])
            holds = self._stored(tensor) is not None
            buffer = self._model.buffers[tensor.buffer]
            tensor.buffer = len(buffers) if holds else 0
            buffers += [buffer] if holds else []
            graph.tensors.append(tensor)
        graph.inputs = [tensors[i] for i in inputs]
        graph.outputs = [tensors[i] for i in outputs]
        graph.operators = [_renumbered(operator, tensors) for operator in operators]
        model = self._schema.ModelT(3, self._model.operatorCodes, [graph], "part", buffers)
        return pack(model)

    def _stored(self, tensor: Any) -> NDArray[Any] | None:
        data = self._model.buffers[tensor.buffer].data
        return None if data is None or not len(data) else np.asarray(data)

    def _values(self, tensor: int) -> NDArray[Any]:
        data, shape = self._stored(self.tensors[tensor]), self.shape(tensor)
        assert data is not None  # noqa: S101 - the caller found a constant
        if self.tensors[tensor].type != _INT4:
            return np.frombuffer(data.tobytes(), self.dtype(tensor)).reshape(shape)
        halves = np.stack([data & 0xF, data >> 4], axis=1).reshape(-1).astype(np.int8)
        signed: NDArray[Any] = ((halves ^ 8) - 8)[: int(np.prod(shape))]
        return signed.reshape(shape)


def _renumbered(operator: Any, tensors: dict[int, int]) -> Any:
    moved = copy.copy(operator)
    moved.inputs = [tensors.get(int(i), -1) for i in operator.inputs]
    moved.outputs = [tensors[int(i)] for i in operator.outputs]
    return moved


def run(payload: bytes, inputs: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Run a model of batch 1 in LiteRT, image by image.

    Args:
        payload: the flatbuffer.
        inputs: (n, …) each, in the types of the input tensors.

    Returns:
        (n, …) each, in the order of the outputs.

    Raises:
        BackendError: the engine refuses the model.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with silenced():
            interpreter = Interpreter(model_content=payload, num_threads=1)
            interpreter.allocate_tensors()
        sources, targets = interpreter.get_input_details(), interpreter.get_output_details()
        rows: list[list[NDArray[Any]]] = [[] for _ in targets]
        for number in range(len(inputs[0])):
            for source, values in zip(sources, inputs, strict=True):
                one = values[number : number + 1].reshape(source["shape"])
                interpreter.set_tensor(source["index"], one)
            interpreter.invoke()
            for row, target in zip(rows, targets, strict=True):
                row.append(interpreter.get_tensor(target["index"]))
    except (ValueError, RuntimeError) as error:
        raise BackendError(f"litert refuses a part of the model: {error}") from error
    return [np.concatenate(row) for row in rows]
