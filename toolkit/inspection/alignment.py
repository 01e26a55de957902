"""Which layer of a quantized graph is which layer of the float graph it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.errors import ArtifactError, EdgeError

if TYPE_CHECKING:
    from toolkit.inspection.base import GraphView, Layer

_SAME = {"Gemm": "MatMul"}  # a MatMul with its bias fused


def align(
    quantized: GraphView, reference: GraphView
) -> tuple[GraphView, tuple[tuple[Layer, Layer], ...]]:
    """Pair the layers of two graphs: by name if both use the same names, else in order.

    A quantizer may compute parallel branches in another order than the float graph does.

    Args:
        quantized: a model file.
        reference: the float model of the same format; as converted, or prepared for the
            quantizer.

    Returns:
        The reference that fits, and the pairs (quantized layer, float layer).

    Raises:
        ArtifactError: the graphs differ; the message names the first difference.

    Example::

        reference, pairs = align(view(file.data, ".tflite"), float_view(graphs, ".tflite"))
        names = {ours.name: theirs.name for ours, theirs in pairs}
    """
    if quantized.suffix != reference.suffix:
        raise ArtifactError(f"a {quantized.suffix} file is compared with a {reference.suffix} one")
    problem = _difference(quantized, reference)
    if problem:
        prepared = _prepared(reference)
        if prepared is None or _difference(quantized, prepared):
            raise ArtifactError(
                f"its layers are not those of the Keras model: {problem}; it was made from "
                "another model, or by a tool that rearranges the graph"
            )
        reference = prepared
    return reference, tuple(zip(quantized.layers, _ordered(quantized, reference), strict=True))


def _prepared(reference: GraphView) -> GraphView | None:
    try:
        return reference.prepared()
    except EdgeError:
        return None  # the difference found before is reported


def _ordered(quantized: GraphView, reference: GraphView) -> tuple[Layer, ...]:
    """Return the layers of the reference in the order of those of the file."""
    named = {layer.name: layer for layer in reference.layers}
    if named.keys() == {layer.name for layer in quantized.layers}:
        return tuple(named[layer.name] for layer in quantized.layers)
    return reference.layers


def _difference(quantized: GraphView, reference: GraphView) -> str | None:
    ours, theirs = quantized.layers, _ordered(quantized, reference)
    for mine, other in zip(ours, theirs, strict=False):
        if _kind(mine) != _kind(other) or len(mine.inputs) != len(other.inputs):
            return f"{mine.name} is {mine.kind}, in the model it is {other.name}, {other.kind}"
    if len(ours) != len(theirs):
        return f"{len(ours)} layers in the file, {len(theirs)} in the model"
    return None


def _kind(layer: Layer) -> str:
    return _SAME.get(layer.kind, layer.kind)
