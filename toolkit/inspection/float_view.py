"""The float graph of a Keras model, as its model files contain it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.inspection import GraphView, view

if TYPE_CHECKING:
    from exporters.graphs import FloatGraphs


def float_view(graphs: FloatGraphs, suffix: str) -> GraphView:
    """Return the float graph from which files with this suffix are made.

    Raises:
        ExportError: the model cannot be converted.

    Example::

        original = float_view(trained.graphs, ".onnx")
    """
    return view(graphs.to_bytes(suffix), suffix)
