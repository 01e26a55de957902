"""Which nodes of an ONNX graph make up one layer, and how it stores values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.errors import ArtifactError
from toolkit.inspection._onnx_graph import DEQUANTIZE, QUANTIZE

if TYPE_CHECKING:
    from toolkit.inspection._onnx_graph import OnnxGraph
    from toolkit.inspection.base import Coding

_ACTIVATIONS = ("Relu", "Clip")
KERNELS = ("Conv", "Gemm", "MatMul")
RESHAPING = ("Flatten", "Reshape")


@dataclass(frozen=True, eq=False)
class Group:
    """A node with the bias and the activation that follow it.

    Attributes:
        nodes: in order of execution.
        reads: the tensors that depend on the image, as stored (after QuantizeLinear).
        codings: how these are stored, None in float.
        writes: the tensor that the following layers read, as stored.
        coding: how that is stored, None in float.
    """

    nodes: tuple[Any, ...]
    reads: tuple[str, ...]
    codings: tuple[Coding | None, ...]
    writes: str
    coding: Coding | None


def groups(graph: OnnxGraph) -> dict[str, Group]:
    """Return the layers of a graph by the name of their first node, in order of execution.

    Raises:
        ArtifactError: a layer has several outputs.
    """
    found: dict[str, Group] = {}
    claimed: set[str] = set()
    for node in graph.nodes:
        constant = all(out in graph.constants for out in node.output)
        if node.name in claimed or constant or graph.converts(node):
            continue
        nodes = _chain(graph, node)
        claimed |= {one.name for one in nodes}
        found[node.name] = _group(graph, nodes)
    return found


def source(graph: OnnxGraph, tensor: str) -> str:
    """Return the tensor that a computing node wrote, or the input of the graph."""
    maker = graph.makers.get(tensor)
    while maker is not None and graph.converts(maker):
        tensor = maker.input[0]
        maker = graph.makers.get(tensor)
    return tensor


def has_kernel(graph: OnnxGraph, node: Any) -> bool:
    """Whether a node is a convolution or dense layer with its own weights."""
    return node.op_type in KERNELS and node.input[1] in graph.constants


def input_quantizer(graph: OnnxGraph) -> Any | None:
    """Return the QuantizeLinear of the image, which may follow a transposition or reshape."""
    return next((node for node in graph.nodes if _quantizes_image(graph, node)), None)


def _quantizes_image(graph: OnnxGraph, node: Any) -> bool:
    if node.op_type != QUANTIZE:
        return False
    tensor = source(graph, node.input[0])
    while tensor in graph.makers:
        maker = graph.makers[tensor]
        if maker.op_type not in (*RESHAPING, "Transpose"):
            return False
        tensor = source(graph, maker.input[0])
    return bool(tensor == graph.image.name)


def _chain(graph: OnnxGraph, node: Any) -> tuple[Any, ...]:
    """Return a node with the bias and activation that follow it, if nothing else reads it."""
    chain = [node]
    while True:
        users = _readers(graph, chain[-1].output[0])
        follows = len(users) == 1 and (
            users[0].op_type in _ACTIVATIONS
            or (chain[-1].op_type == "MatMul" and _adds_bias(graph, users[0]))
        )
        if not follows:
            return tuple(chain)
        chain.append(users[0])


def _readers(graph: OnnxGraph, tensor: str) -> list[Any]:
    """Return the computing nodes that read a tensor, (de)quantizing nodes left out."""
    found = []
    for user in graph.users(tensor):
        found += _readers(graph, user.output[0]) if graph.converts(user) else [user]
    return found


def _adds_bias(graph: OnnxGraph, node: Any) -> bool:
    return node.op_type == "Add" and any(name in graph.constants for name in node.input)


def _group(graph: OnnxGraph, nodes: tuple[Any, ...]) -> Group:
    if any(len([out for out in node.output if graph.users(out)]) > 1 for node in nodes):
        raise ArtifactError(f"{nodes[0].op_type} has several outputs: not supported")
    inner = {node.output[0] for node in nodes}
    reads, codings = [], []
    for name in (name for node in nodes for name in node.input):
        if name and name not in graph.constants and source(graph, name) not in inner:
            stored, coding = _stored(graph, name)
            reads.append(stored)
            codings.append(coding)
    writes, coding = nodes[-1].output[0], None
    users = graph.users(writes)
    if users and all(user.op_type == QUANTIZE for user in users):
        writes, coding = users[0].output[0], graph.coding(users[0])
    return Group(nodes, tuple(reads), tuple(codings), writes, coding)


def _stored(graph: OnnxGraph, tensor: str) -> tuple[str, Coding | None]:
    """Return the quantized tensor that a DequantizeLinear reads, if this is its output."""
    maker = graph.makers.get(tensor)
    if maker is not None and maker.op_type == DEQUANTIZE:
        return maker.input[0], graph.coding(maker)
    return tensor, None
