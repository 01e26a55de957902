"""Output scales that were changed after conversion, found by the biases that follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.diagnosis.causes import differs, expected_step
from toolkit.inspection.base import INPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolkit.inspection import GraphView, Kernel, Layer


def rescaled(graph: GraphView, kernels: Mapping[str, tuple[Kernel, Kernel]]) -> dict[str, str]:
    """Return the layers whose output scale is not the one that the next layer was made for.

    Without this the error would be attributed to the next layer: its bias is stored in steps
    of its input, so it is wrong as well.

    Args:
        graph: the file.
        kernels: weights in the file and in float, by layer name.

    Returns:
        What is wrong, in words, by layer key; INPUT for the image.

    Example::

        problems = rescaled(quantized, pair_kernels(quantized, reference, names))
    """
    found: dict[str, str] = {}
    for layer in graph.layers:
        held = graph.read_ranges(layer)[0] if layer.inputs else None
        expected = expected_step(*kernels[layer.name]) if layer.name in kernels else None
        if held is not None and expected is not None and differs(held.step, expected):
            found[_origin(graph, layer)] = (
                f"its output scale is {held.step:.4g}, the next layer was made for {expected:.4g}"
            )
    return found


def _origin(graph: GraphView, layer: Layer) -> str:
    """Return the key of the layer that set the scale: pooling and reshaping pass it on."""
    key = layer.inputs[0]
    while key != INPUT:
        before = graph.layer(key)
        if len(before.inputs) != 1:
            break
        (read,) = graph.read_ranges(before)
        if read is None or read != graph.output_range(before):
            break
        key = before.inputs[0]
    return key
