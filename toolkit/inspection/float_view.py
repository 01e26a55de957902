"""The float graph of a Keras model, as its files would hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.inspection import GraphView, view

if TYPE_CHECKING:
    from exporters.keras_model.source import KerasSource


def float_view(source: KerasSource, suffix: str) -> GraphView:
    """Return the float graph from which files with this suffix are made.

    Raises:
        ExportError: the model cannot be converted.
    """
    if suffix == ".tflite":
        return view(source.tflite_graph, suffix)
    return view(source.onnx_graph.SerializeToString(), suffix)
