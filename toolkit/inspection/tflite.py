"""TFLite files: parts of the flatbuffer are extracted, and LiteRT runs them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from exporters.keras_model.layer_names import layer_of, short_name, unique_names
from runtime.errors import ArtifactError
from toolkit.inspection._tflite_graph import TfliteGraph, run
from toolkit.inspection.base import (
    INPUT,
    Coding,
    GraphView,
    Kernel,
    Layer,
    decode,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_KERNELS = {"CONV_2D": "conv", "DEPTHWISE_CONV_2D": "depthwise", "FULLY_CONNECTED": "dense"}


class TfliteView(GraphView):
    """A model in TFLite's schema.

    A layer is identified by the name of its operator's output tensor. If all operators that
    read this tensor quantize it first, that step belongs to the layer.

    Example::

        graph = TfliteView(Path("mnist-cnn.int8.tflite").read_bytes())
        print([layer.kind for layer in graph.layers])  # ['CONV_2D', …]
    """

    name: ClassVar[str] = "tflite"
    suffix: ClassVar[str] = ".tflite"

    def __init__(self, payload: bytes) -> None:
        """Parse the file.

        Raises:
            ArtifactError: it is damaged or of a kind that cannot be inspected.
            MissingDependencyError: ai-edge-litert is not installed.
        """
        super().__init__(payload)
        self._graph = TfliteGraph(payload)
        if len(self._graph.inputs) != 1:
            raise ArtifactError(f"the model has {len(self._graph.inputs)} inputs, not one")

    @cached_property
    def _computing(self) -> dict[str, Any]:
        """The operators that compute, by the name of their output."""
        graph = self._graph
        found: dict[str, Any] = {}
        for operator in graph.operators:
            if graph.converts(operator) or int(operator.outputs[0]) in graph.constants:
                continue
            if len(operator.outputs) != 1:
                raise ArtifactError(f"{graph.kind(operator)} has several outputs: not supported")
            found[graph.name(int(operator.outputs[0]))] = operator
        return found

    def _layers(self) -> tuple[Layer, ...]:
        graph = self._graph
        kinds = [graph.kind(operator) for operator in self._computing.values()]
        proposed = [
            kind.lower() if layer_of(key) is None else short_name(key)
            for key, kind in zip(self._computing, kinds, strict=True)
        ]
        names = unique_names(proposed, kinds, [kind in _KERNELS for kind in kinds])
        return tuple(
            Layer(key, name, kind, (key,), self._feeders(operator), *self._precision(operator))
            for (key, operator), name, kind in zip(
                self._computing.items(), names, kinds, strict=True
            )
        )

    def _feeders(self, operator: Any) -> tuple[str, ...]:
        return tuple(self._maker(tensor) for tensor in self._reads(operator))

    def _reads(self, operator: Any) -> list[int]:
        """Return the tensors that depend on the image, each as the operator reads it."""
        return [int(i) for i in operator.inputs if i >= 0 and int(i) not in self._graph.constants]

    def _maker(self, tensor: int) -> str:
        """Return the key of the layer that computes a tensor."""
        while tensor in self._graph.makers and self._graph.converts(self._graph.makers[tensor]):
            tensor = int(self._graph.makers[tensor].inputs[0])
        return INPUT if tensor in self._graph.inputs else self._graph.name(tensor)

    def _writes(self, operator: Any) -> tuple[int, list[Any]]:
        """Return the tensor that the following layers read, and the operators that make it."""
        out = int(operator.outputs[0])
        users = self._graph.users(out)
        quantized = users and all(self._graph.kind(user) == "QUANTIZE" for user in users)
        if self._graph.coding(out) is None and out not in self._graph.outputs and quantized:
            return int(users[0].outputs[0]), [operator, users[0]]
        return out, [operator]

    def _precision(self, operator: Any) -> tuple[bool, int]:
        """Return whether the operator works in float, and the bits of what it stores."""
        graph, out = self._graph, int(operator.outputs[0])
        weights = [int(operator.inputs[1])] if self._has_kernel(operator) else []
        integers = any(map(graph.coding, (out, *self._reads(operator), *weights)))
        if not integers:
            return True, 8 * graph.dtype(out).itemsize
        coding = graph.coding(self._writes(operator)[0])
        return False, 8 * coding.dtype.itemsize if coding else 8

    def _has_kernel(self, operator: Any) -> bool:
        kind = self._graph.kind(operator)
        return kind in _KERNELS and int(operator.inputs[1]) in self._graph.constants

    def _kernel(self, layer: Layer) -> Kernel | None:
        operator = self._computing[layer.key]
        if not self._has_kernel(operator):
            return None
        kind, (weights, *rest) = _KERNELS[layer.kind], [int(i) for i in operator.inputs[1:]]
        shape = self._graph.shape(weights)
        channels = shape[3] if kind == "depthwise" else shape[0]
        values, step = self._graph.real(weights, channels)
        has_bias = bool(rest) and rest[0] >= 0
        bias = self._graph.real(rest[0], channels) if has_bias else (None, None)
        if kind == "depthwise":
            multiplier = operator.builtinOptions.depthMultiplier
            values = values.reshape(*shape[1:3], channels // multiplier, multiplier)
        else:
            values = np.moveaxis(values, 0, -1)
        return Kernel(layer.name, kind, np.ascontiguousarray(values), step, *bias)

    def _input_coding(self) -> Coding | None:
        image = self._graph.inputs[0]
        users = self._graph.users(image)
        if self._graph.coding(image) is None and users and self._graph.converts(users[0]):
            image = int(users[0].outputs[0])
        return self._graph.coding(image)

    def _input_codings(self, layer: Layer) -> tuple[Coding | None, ...]:
        return tuple(map(self._graph.coding, self._reads(self._computing[layer.key])))

    def _output_coding(self, layer: Layer) -> Coding | None:
        return self._graph.coding(self._writes(self._computing[layer.key])[0])

    @cached_property
    def _whole(self) -> bytes:
        outputs = [self._writes(operator)[0] for operator in self._computing.values()]
        return self._graph.cut(self._graph.operators, self._graph.inputs, outputs)

    def _activations(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        coding = self._graph.coding(self._graph.inputs[0])
        rows = run(self._whole, [encode(batch, coding)])
        return {
            layer.key: decode(values, self._output_coding(layer))
            for layer, values in zip(self.layers, rows, strict=True)
        }

    def _run_layer(
        self, layer: Layer, inputs: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        operator = self._computing[layer.key]
        reads, (out, operators) = self._reads(operator), self._writes(operator)
        payload = self._graph.cut([*self._preparing(operator), *operators], reads, [out])
        stored = [
            encode(values, self._graph.coding(tensor), self._graph.dtype(tensor))
            for values, tensor in zip(inputs, reads, strict=True)
        ]
        (output,) = run(payload, stored)
        return decode(output, self._graph.coding(out))

    def _preparing(self, operator: Any) -> list[Any]:
        """Return the operators that make the layer's constants (float16 weights)."""
        makers = self._graph.makers
        needed = [makers[int(i)] for i in operator.inputs if int(i) in makers]
        found = [one for one in needed if int(one.outputs[0]) in self._graph.constants]
        return [early for one in found for early in (*self._preparing(one), one)]
