"""Chains of convolutions to measure the peak of a core, written without any library.

An engine runs them like any classifier, so a model could reach the same rate. Written as bytes,
so that they need neither TensorFlow nor the onnx package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runtime.modelfile.protobuf import message
from toolkit.benchmarking import _flatbuffer

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOAT32, INT8 = "float32", "int8"
_TOP = 127  # largest int8 weight


@dataclass(frozen=True, slots=True)
class Chain:
    """Equal convolutions, one after the other, on a grey square image.

    Attributes:
        kind: ``float32`` or ``int8``.
        layers: number of layers after the first one, which has one input channel.
        kernel: side of the filters.
        channels: of every layer.
        side: of the image, in pixels.

    Example:
        >>> Chain("int8", layers=2, kernel=3).multiply_adds
        302055424
    """

    kind: str
    layers: int
    kernel: int
    channels: int = 256
    side: int = 16

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image."""
        products = self.layers * self.channels * self.kernel**2 + 1
        return self.side**2 * self.channels * products

    def weights(self, inputs: int, kernel: int) -> NDArray[Any]:
        """Return random weights, (channels, kernel, kernel, inputs)."""
        shape, rng = (self.channels, kernel, kernel, inputs), np.random.default_rng(0)
        if self.kind == INT8:
            return rng.integers(-_TOP, _TOP + 1, shape, np.int8)
        # scaled so that the activations keep their range from layer to layer
        return rng.standard_normal(shape, np.float32) / np.float32((kernel**2 * inputs) ** 0.5)

    def scale(self, inputs: int, kernel: int) -> float:
        """Return the scale of int8 weights for the same; activations have scale 1."""
        deviation = _TOP / 3**0.5  # of numbers spread evenly over -127…127
        return float(1 / (deviation * (kernel**2 * inputs) ** 0.5))


def tflite(chain: Chain) -> bytes:
    """Return the chain, followed by the mean over the image, as a ``.tflite`` file.

    Example:
        >>> tflite(Chain("float32", layers=1, kernel=1, channels=4, side=2))[4:8]
        b'TFL3'
    """
    return _Tflite(chain).model()


def onnx(chain: Chain) -> bytes:
    """Return the chain, followed by the mean over the image, as a ``.onnx`` file.

    Example:
        >>> b"GlobalAveragePool" in onnx(Chain("int8", layers=1, kernel=1, channels=4, side=2))
        True
    """
    return _Onnx(chain).model()


BUILDERS: dict[str, Callable[[Chain], bytes]] = {".tflite": tflite, ".onnx": onnx}


class _Tflite:
    """Writes a chain for TensorFlow Lite; numbers are slots and codes of its schema.

    Source: tensorflow/compiler/mlir/lite/schema/schema.fbs.
    """

    _FLOAT, _INT32, _INT8 = 0, 2, 9  # TensorType
    _CONV_2D, _MEAN = 3, 40  # BuiltinOperator
    _CONV_OPTIONS, _REDUCER_OPTIONS = 1, 27  # BuiltinOptions

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._buffers: list[dict[int, Any]] = [{}]
        self._tensors: list[dict[int, Any]] = []
        self._integers = chain.kind == INT8
        self._type = self._INT8 if self._integers else self._FLOAT

    def model(self) -> bytes:
        chain = self._chain
        picture = (1, chain.side, chain.side)
        first = image = self._tensor((*picture, 1), self._type)
        filters = [self._filter(1, 1), self._filter(chain.channels, chain.kernel)]
        operators = []
        for layer in range(chain.layers + 1):
            result = self._tensor((*picture, chain.channels), self._type)
            options = {1: 1, 2: 1}  # strides; padding 0 is SAME
            operators.append(self._operator(0, [image, *filters[min(layer, 1)]], result, options))
            image = result
        axes = self._constant(np.array([1, 2], np.int32), self._INT32)
        scores = self._tensor((1, chain.channels), self._type)
        operators.append(self._operator(1, [image, axes], scores, {}))
        graph = {0: self._tensors, 1: _ints([first]), 2: _ints([scores]), 3: operators}
        codes = [
            {0: self._CONV_2D, 2: 3 if self._integers else 1, 3: self._CONV_2D},
            {0: self._MEAN, 2: 2, 3: self._MEAN},
        ]
        return _flatbuffer.write({0: 3, 1: codes, 2: [graph], 4: self._buffers}, b"TFL3")

    def _filter(self, inputs: int, kernel: int) -> tuple[int, int]:
        scale = self._chain.scale(inputs, kernel)
        weights = self._constant(self._chain.weights(inputs, kernel), self._type, scale)
        zeros = np.zeros(self._chain.channels, np.int32 if self._integers else np.float32)
        kind = self._INT32 if self._integers else self._FLOAT
        return weights, self._constant(zeros, kind, scale)

    def _constant(self, values: NDArray[Any], kind: int, scale: float = 1.0) -> int:
        self._buffers.append({0: values.view(np.uint8).reshape(-1)})
        return self._tensor(values.shape, kind, scale, len(self._buffers) - 1)

    def _tensor(
        self, shape: tuple[int, ...], kind: int, scale: float = 1.0, buffer: int = 0
    ) -> int:
        tensor = {0: _ints(shape), 1: kind, 2: buffer, 3: f"t{len(self._tensors)}"}
        if self._integers:
            tensor[4] = {2: np.array([scale], np.float32), 3: np.array([0], np.int64)}
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _operator(
        self, code: int, inputs: list[int], output: int, options: dict[int, Any]
    ) -> dict[int, Any]:
        kind = (self._CONV_OPTIONS, self._REDUCER_OPTIONS)[code]
        return {0: code, 1: _ints(inputs), 2: _ints([output]), 3: kind, 4: options}


def _ints(values: Any) -> NDArray[np.int32]:
    return np.asarray(values, np.int32)


class _Onnx:
    """Writes a chain for ONNX; numbers are field numbers and codes of onnx.proto3.

    Activations are uint8: ONNX Runtime's fastest kernels on x86 need them, and it converts the
    int8 ones of a QDQ model to them.
    """

    _TYPES: ClassVar[dict[np.dtype[Any], int]] = {
        np.dtype(np.float32): 1,
        np.dtype(np.uint8): 2,
        np.dtype(np.int8): 3,
    }
    _OPSET, _IR_VERSION = 13, 7
    _INTS = 7  # AttributeProto.Type

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._integers = chain.kind == INT8
        self._constants: list[bytes] = []

    def model(self) -> bytes:
        chain = self._chain
        kind = np.dtype(np.uint8 if self._integers else np.float32)
        self._constant("one", np.ones((), np.float32))
        self._constant("zero", np.zeros((), kind))
        self._constant("middle", np.zeros((), np.int8))
        filters = [
            self._filter("first", 1, 1),
            self._filter("other", chain.channels, chain.kernel),
        ]
        nodes = [
            self._convolution(layer, filters[min(layer, 1)]) for layer in range(chain.layers + 1)
        ]
        last = _name(chain.layers + 1)
        if self._integers:
            nodes.append(self._node("DequantizeLinear", [last, "one", "zero"], "real"))
            last = "real"
        nodes.append(self._node("GlobalAveragePool", [last], "mean"))
        nodes.append(self._node("Flatten", ["mean"], "scores"))
        image = self._value(_name(0), kind, (1, 1, chain.side, chain.side))
        scores = self._value("scores", np.dtype(np.float32), (1, chain.channels))
        parts = [*((1, node) for node in nodes), *((5, one) for one in self._constants)]
        graph = message([*parts, (2, "chain"), (11, image), (12, scores)])
        opset = message([(1, ""), (2, self._OPSET)])
        return message([(1, self._IR_VERSION), (7, graph), (8, opset)])

    def _filter(self, name: str, inputs: int, kernel: int) -> tuple[str, str, int]:
        weights = self._chain.weights(inputs, kernel).transpose(0, 3, 1, 2)
        self._constant(name, weights)
        scale = f"scale of {name}"
        self._constant(scale, np.array(self._chain.scale(inputs, kernel), np.float32))
        return name, scale, kernel

    def _convolution(self, layer: int, filters: tuple[str, str, int]) -> bytes:
        weights, scale, kernel = filters
        before, after = _name(layer), _name(layer + 1)
        pads = [(8, kernel // 2)] * 4
        padding = message([(1, "pads"), *pads, (20, self._INTS)])
        if not self._integers:
            return self._node("Conv", [before, weights], after, padding)
        coded = [before, "one", "zero", weights, scale, "middle", "one", "zero"]
        return self._node("QLinearConv", coded, after, padding)

    def _node(self, kind: str, inputs: list[str], output: str, *attributes: bytes) -> bytes:
        fields = [(1, name) for name in inputs] + [(2, output), (4, kind)]
        return message([*fields, *((5, attribute) for attribute in attributes)])

    def _constant(self, name: str, values: NDArray[Any]) -> None:
        sizes = [(1, size) for size in values.shape]
        kind = self._TYPES[values.dtype]
        self._constants.append(message([*sizes, (2, kind), (8, name), (9, values.tobytes())]))

    def _value(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
        sizes = message((1, message([(1, size)])) for size in shape)
        tensor = message([(1, self._TYPES[dtype]), (2, sizes)])
        return message([(1, name), (2, message([(1, tensor)]))])


def _name(layer: int) -> str:
    return f"layer {layer}"
