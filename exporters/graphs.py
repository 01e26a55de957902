"""Float32 graphs of a Keras model, converted once and shared by all formats."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from exporters.conversion import converting, timed
from exporters.onnx import graph as onnx_graph
from exporters.onnx.quantize import prepare
from exporters.tflite import graph as tflite_graph

if TYPE_CHECKING:
    from exporters.keras_model.source import KerasSource


@dataclass(eq=False)
class FloatGraphs:
    """Float32 conversions of one Keras model; each is made on first access.

    Attributes:
        source: the Keras model.

    Example::

        graphs = FloatGraphs(load_keras(Path("model.keras")))
        Path("model.tflite").write_bytes(graphs.tflite)
    """

    source: KerasSource

    @cached_property
    def tflite(self) -> bytes:
        """The float32 TFLite file."""
        with timed(self._name, "a float32 TFLite graph"):
            return tflite_graph.convert(self.source, "tflite")

    @cached_property
    def onnx(self) -> Any:
        """The float32 ``onnx.ModelProto``."""
        with timed(self._name, "a float32 ONNX graph"):
            return onnx_graph.convert(self.source)

    @cached_property
    def onnx_prepared(self) -> Any:
        """The ``onnx.ModelProto`` to quantize: shapes inferred, constants folded."""
        graph = self.onnx
        with timed(self._name, "a prepared ONNX graph"), converting("onnx-int8"):
            return prepare(graph)

    def to_bytes(self, suffix: str) -> bytes:
        """Return the float32 graph as a file.

        Args:
            suffix: ``.tflite`` or ``.onnx``.

        Raises:
            ExportError: the model cannot be converted.

        Example::

            Path("model.onnx").write_bytes(graphs.to_bytes(".onnx"))
        """
        if suffix == ".tflite":
            return self.tflite
        return bytes(self.onnx.SerializeToString())

    @property
    def _name(self) -> str:
        return str(self.source.path)
