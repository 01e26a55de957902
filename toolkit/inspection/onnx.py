"""ONNX files: parts of the graph are extracted, and ONNX Runtime runs them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from exporters.conversion import converting
from exporters.keras_model.layer_names import short_name, unique_names
from runtime.backends.tensors import image_layout
from toolkit.inspection._groups import RESHAPING, Group, groups, has_kernel, input_quantizer, source
from toolkit.inspection._onnx_graph import DEQUANTIZE, OnnxGraph, attribute, run
from toolkit.inspection.base import INPUT, Coding, GraphView, Kernel, Layer, decode, encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class OnnxView(GraphView):
    """A model in ONNX, quantized by QuantizeLinear and DequantizeLinear pairs, or in float.

    ONNX Runtime's quantizer drops a Relu or Clip whose limits the quantized range holds,
    and fuses the bias; so these belong to the layer before them in every graph.

    Example::

        graph = OnnxView(Path("mnist-cnn.int8.onnx").read_bytes())
        print([layer.kind for layer in graph.layers])  # ['Conv', …]
    """

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"

    def __init__(self, payload: bytes) -> None:
        """Parse the file.

        Raises:
            ArtifactError: it is damaged or of a kind that cannot be inspected.
            MissingDependencyError: onnx is not installed.
        """
        super().__init__(payload)
        self._graph = OnnxGraph(payload)

    def prepared(self) -> GraphView:
        """Return the graph after ``quant_pre_process``: batch norms and biases are folded in.

        Raises:
            ExportError: ONNX Runtime's tool fails on it.
        """
        return self._prepared

    @cached_property
    def _prepared(self) -> GraphView:
        from exporters.onnx.quantize import prepare

        with converting("onnx-int8"):
            return OnnxView(prepare(self._graph.model).SerializeToString())

    @cached_property
    def _groups(self) -> dict[str, Group]:
        return groups(self._graph)

    def _layers(self) -> tuple[Layer, ...]:
        found = list(self._groups.values())
        makers = {
            source(self._graph, group.nodes[-1].output[0]): group.nodes[0].name for group in found
        }
        makers[self._graph.image.name] = INPUT
        feeders = [
            tuple(makers[source(self._graph, tensor)] for tensor in group.reads) for group in found
        ]
        names = unique_names(
            [
                self._proposed_name(group, inputs)
                for group, inputs in zip(found, feeders, strict=True)
            ],
            [group.nodes[0].op_type for group in found],
            [has_kernel(self._graph, group.nodes[0]) for group in found],
        )
        parts = zip(found, names, feeders, strict=True)
        return tuple(self._layer(group, name, inputs) for group, name, inputs in parts)

    def _layer(self, group: Group, name: str, inputs: tuple[str, ...]) -> Layer:
        main = group.nodes[0]
        if has_kernel(self._graph, main):
            weights = self._graph.makers.get(main.input[1])
            is_float = weights is None or weights.op_type != DEQUANTIZE
        else:
            is_float = not any((*group.codings, group.coding))
        stored = self._graph.dtype(group.nodes[-1].output[0])
        if group.coding and not is_float:
            stored = group.coding.dtype
        nodes = tuple(node.name for node in group.nodes)
        return Layer(main.name, name, main.op_type, nodes, inputs, is_float, 8 * stored.itemsize)

    def _proposed_name(self, group: Group, inputs: tuple[str, ...]) -> str:
        """Return a name from the node, its weights or its output, whichever is known."""
        main = group.nodes[0]
        if inputs == (INPUT,) and main.op_type in (*RESHAPING, "Transpose"):
            return "input"
        weights = main.input[1] if has_kernel(self._graph, main) else ""
        maker = self._graph.makers.get(weights)
        names = (weights if maker is None else maker.input[0], group.nodes[-1].output[0])
        return short_name(main.name, *names)

    def _kernel(self, layer: Layer) -> Kernel | None:
        group = self._groups[layer.key]
        node = group.nodes[0]
        if not has_kernel(self._graph, node):
            return None
        stored = self._graph.real(node.input[1], 1)[0]
        rows_out = layer.kind == "Conv" or attribute(node, "transB", 0)  # (out, …) as stored
        channels = stored.shape[0] if rows_out else stored.shape[-1]
        step = self._graph.real(node.input[1], channels)[1]
        bias = self._bias(group, channels)
        if layer.kind != "Conv":
            values = stored.T if rows_out else stored
            keras_order = not self._flattened(layer)
            return Kernel(
                layer.name, "dense", np.ascontiguousarray(values), step, *bias, keras_order
            )
        groups = attribute(node, "group", 1)
        if groups > 1 and stored.shape[1] == 1:
            values = np.moveaxis(stored[:, 0], 0, -1)
            values = values.reshape(*values.shape[:2], groups, channels // groups)
            return Kernel(layer.name, "depthwise", values, step, *bias)
        values = np.ascontiguousarray(stored.transpose(2, 3, 1, 0))
        return Kernel(layer.name, "conv", values, step, *bias)

    def _flattened(self, layer: Layer) -> bool:
        """Whether the layer before flattens."""
        return any(name and self.layer(name).kind in RESHAPING for name in layer.inputs)

    def _bias(
        self, group: Group, channels: int
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
        """Return bias and its step, as an input of the node or added after it."""
        node = group.nodes[0]
        names = [node.input[2]] if node.op_type != "MatMul" and len(node.input) > 2 else []
        if len(group.nodes) > 1 and group.nodes[1].op_type == "Add":
            names = [name for name in group.nodes[1].input if name in self._graph.constants]
        if not names:
            return None, None
        values, step = self._graph.real(names[0], channels)
        return np.broadcast_to(values.reshape(-1), channels), step

    def _input_coding(self) -> Coding | None:
        first = input_quantizer(self._graph)
        return self._graph.coding(first) if first is not None else None

    def _input_codings(self, layer: Layer) -> tuple[Coding | None, ...]:
        return self._groups[layer.key].codings

    def _output_coding(self, layer: Layer) -> Coding | None:
        return self._groups[layer.key].coding

    @cached_property
    def _whole(self) -> bytes:
        outputs = [group.writes for group in self._groups.values()]
        return self._graph.cut({self._graph.image.name: None}, outputs)

    def _activations(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        image = {self._graph.image.name: self._as_input(batch)}
        rows = run(self._whole, image, self._graph.batch)
        return {
            key: decode(values, group.coding)
            for (key, group), values in zip(self._groups.items(), rows, strict=True)
        }

    def _run_layer(
        self, layer: Layer, inputs: Sequence[NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        group = self._groups[layer.key]
        image = self._graph.image.name
        codings = dict(zip(group.reads, group.codings, strict=True))
        stored = {
            name: encode(
                self._as_input(values) if name == image else values,
                coding,
                self._graph.dtype(name),
            )
            for name, values, coding in zip(group.reads, inputs, group.codings, strict=True)
        }
        payload = self._graph.cut(codings, [group.writes])
        (output,) = run(payload, stored, self._graph.batch)
        return decode(output, group.coding)

    def _as_input(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return images in the layout of the graph's input."""
        dims = self._graph.image.type.tensor_type.shape.dim
        shape = tuple(dim.dim_value or -1 for dim in dims)
        return batch.transpose(0, 3, 1, 2) if image_layout(shape) == "NCHW" else batch
