"""The content of a model file: its layers, weights, ranges and activations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runtime.backends.quantization import dequantize, quantize
from runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import DTypeLike, NDArray

INPUT = ""  # the image among a layer's inputs


@dataclass(frozen=True, slots=True)
class TensorRange:
    """The real values that a quantized tensor can hold.

    Attributes:
        low: the lowest.
        high: the highest.
        step: the distance between two neighbouring values.

    Example:
        >>> TensorRange(low=-1.28, high=1.27, step=0.01).high
        1.27
    """

    low: float
    high: float
    step: float


@dataclass(frozen=True, slots=True)
class Coding:
    """How a tensor stores real values: ``real = (q - zero_point) * scale``.

    Attributes:
        scale: positive.
        zero_point: the integer that represents 0.0.
        dtype: an integer type.

    Example:
        >>> Coding(scale=0.5, zero_point=-128, dtype=np.dtype(np.int8)).range
        TensorRange(low=0.0, high=127.5, step=0.5)
    """

    scale: float
    zero_point: int
    dtype: np.dtype[Any]

    @property
    def range(self) -> TensorRange:
        """The values that it can hold."""
        limits = np.iinfo(self.dtype)
        low, high = (self.scale * (int(q) - self.zero_point) for q in (limits.min, limits.max))
        return TensorRange(low, high, self.scale)


@dataclass(frozen=True, slots=True)
class Layer:
    """One computing layer; an activation that follows directly belongs to it.

    Attributes:
        key: what a quantizer calls it, for leaving it in float (TFLite: the operator's
            output tensor; ONNX: the node).
        name: the Keras layer's name if it is known; unique within a graph.
        kind: the operator: ``CONV_2D``, ``Conv`` …
        nodes: all nodes that belong to it, by the same kind of name as ``key``.
        inputs: keys of the layers that feed it, :data:`INPUT` for the image.
        is_float: whether it computes in float, with float weights.
        bits: of one value: 32 or 16 in float, 16 or 8 quantized.

    Example::

        quantized = [layer.name for layer in graph.layers if not layer.is_float]
    """

    key: str
    name: str
    kind: str
    nodes: tuple[str, ...]
    inputs: tuple[str, ...]
    is_float: bool
    bits: int


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """The weights of one layer, as real numbers in Keras's layout.

    Attributes:
        layer: the layer's name.
        kind: ``conv``, ``depthwise`` or ``dense``.
        values: float32; conv (height, width, in, out), depthwise (height, width,
            channels, multiplier), dense (in, out).
        step: float32 (out channels,), distance of two neighbouring values; 0 in float.
        bias: float32 (out channels,), or None.
        bias_step: float32 (out channels,), like ``step``; engines take it to be the step
            of the input times that of the weights, whatever the file contains.
        keras_order: False if the rows of a dense layer after a flattening may be in
            another order than Keras's (ONNX flattens in NCHW).

    Example::

        largest = {kernel.layer: abs(kernel.values).max() for kernel in graph.kernels()}
    """

    layer: str
    kind: str
    values: NDArray[np.float32]
    step: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    bias_step: NDArray[np.float32] | None = None
    keras_order: bool = True

    @property
    def matrix(self) -> NDArray[np.float32]:
        """The weights as (inputs of one output channel, output channels)."""
        channels = len(self.step)
        return self.values.reshape(-1, channels)


class GraphView(ABC):
    """The layers of a model file; a module in this package with one such class adds a format.

    Attributes:
        name: the kind of file.
        suffix: of its files, with the dot.

    Example::

        graph = view(Path("mnist-cnn.int8.tflite").read_bytes(), ".tflite")
        print(graph.input_range(), [layer.kind for layer in graph.layers])
    """

    name: ClassVar[str]
    suffix: ClassVar[str]

    def __init__(self, payload: bytes) -> None:
        """Parse the file; subclasses keep the parts that they need.

        Args:
            payload: the file's bytes, with or without manifest and seal.
        """
        del payload

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The computing layers in order of execution, without those that only (de)quantize."""
        return self._layers()

    def layer(self, key: str) -> Layer:
        """Return the layer with a key or a name.

        Raises:
            InputError: there is none.

        Example::

            bits = graph.layer("conv2d").bits
        """
        for layer in self.layers:
            if key in (layer.key, layer.name):
                return layer
        known = ", ".join(layer.name for layer in self.layers)
        raise InputError(f"no layer '{key}'; there are {known}")

    def kernels(self) -> tuple[Kernel, ...]:
        """Return the weights of convolutions and dense layers, in order of execution.

        Example::

            shapes = [kernel.values.shape for kernel in graph.kernels()]
        """
        found = (self._kernel(layer) for layer in self.layers)
        return tuple(kernel for kernel in found if kernel is not None)

    def input_range(self) -> TensorRange | None:
        """Return what the quantized input can hold; None if the input is float.

        Example::

            held = graph.input_range()
            clipped = 0.0 if held is None else (batch > held.high).mean()
        """
        coding = self._input_coding()
        return coding.range if coding else None

    def output_range(self, layer: Layer) -> TensorRange | None:
        """Return what a layer's output can hold; None if it is float.

        Example::

            steps = {layer.name: graph.output_range(layer) for layer in graph.layers}
        """
        coding = self._output_coding(layer)
        return coding.range if coding else None

    def read_ranges(self, layer: Layer) -> tuple[TensorRange | None, ...]:
        """Return what a layer can read of each of its inputs; None for a float input.

        Example::

            (held,) = graph.read_ranges(graph.layer("conv2d"))
        """
        codings = self._input_codings(layer)
        return tuple(None if coding is None else coding.range for coding in codings)

    def activations(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the whole graph in its default engine and return the outputs of all layers.

        Args:
            batch: float32 (n, height, width, channels) in model units. All outputs are
                held in memory: use few images at a time.

        Returns:
            Layer key to float32 (n, …), as the following layers read them.

        Example::

            outputs = graph.activations(spec.apply(images[:16]))
            first = outputs[graph.layers[0].key]
        """
        return self._activations(batch)

    def run_layer(self, layer: Layer, inputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Run one layer alone, with its own weights, in the default engine.

        Args:
            layer: one of :attr:`layers`.
            inputs: float32 (n, …), one for each of ``layer.inputs``; they are quantized
                as the layer reads them.

        Returns:
            float32 (n, …).

        Raises:
            InputError: another number of inputs.

        Example::

            layer = graph.layer("conv2d")
            output = graph.run_layer(layer, [spec.apply(images)])
        """
        if len(inputs) != len(layer.inputs):
            raise InputError(f"layer {layer.name} takes {len(layer.inputs)}, not {len(inputs)}")
        return self._run_layer(layer, inputs)

    def as_read(
        self, layer: Layer, inputs: Sequence[NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], ...]:
        """Return inputs as the layer reads them: quantized and dequantized, as real values.

        Example::

            (read,) = graph.as_read(graph.layer("conv2d"), [batch])
            error = abs(read - batch).max()  # of the quantization of the input
        """
        codings = self._input_codings(layer)
        return tuple(
            decode(encode(values, coding), coding)
            for values, coding in zip(inputs, codings, strict=True)
        )

    def prepared(self) -> GraphView:
        """Return the graph as its quantizer reads it, after that tool's own preparation."""
        return self

    @abstractmethod
    def _layers(self) -> tuple[Layer, ...]: ...

    @abstractmethod
    def _kernel(self, layer: Layer) -> Kernel | None: ...

    @abstractmethod
    def _input_coding(self) -> Coding | None: ...

    @abstractmethod
    def _input_codings(self, layer: Layer) -> tuple[Coding | None, ...]: ...

    @abstractmethod
    def _output_coding(self, layer: Layer) -> Coding | None: ...

    @abstractmethod
    def _activations(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]: ...

    @abstractmethod
    def _run_layer(
        self, layer: Layer, inputs: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]: ...


def encode(
    values: NDArray[np.float32], coding: Coding | None, dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """Convert real values to the stored values of a tensor.

    Args:
        values: float32.
        coding: how the tensor stores them; None for a float tensor.
        dtype: of a float tensor.

    Example:
        >>> coding = Coding(scale=0.5, zero_point=10, dtype=np.dtype(np.int8))
        >>> encode(np.array([0.0, 1.0], np.float32), coding)
        array([10, 12], dtype=int8)
    """
    if coding is None:
        return values.astype(dtype, copy=False)
    return quantize(values, coding.scale, coding.zero_point, coding.dtype)


def decode(values: NDArray[Any], coding: Coding | None) -> NDArray[np.float32]:
    """Convert the stored values of a tensor to real values.

    Example:
        >>> coding = Coding(scale=0.5, zero_point=10, dtype=np.dtype(np.int8))
        >>> decode(np.array([10, 12], np.int8), coding)
        array([0., 1.], dtype=float32)
    """
    if coding is None:
        return values.astype(np.float32, copy=False)
    return dequantize(values, coding.scale, coding.zero_point)


def per_channel(scales: NDArray[Any], channels: int) -> NDArray[np.float32]:
    """Return one step per output channel, from one scale per tensor or per channel.

    Example:
        >>> per_channel(np.array([0.5]), channels=3)
        array([0.5, 0.5, 0.5], dtype=float32)
    """
    flat = np.asarray(scales, np.float32).reshape(-1)
    return np.full(channels, flat.max(), np.float32) if len(flat) != channels else flat
