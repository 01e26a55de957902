"""Inspection of model files: layers, weights, ranges, and what each layer computes."""

from __future__ import annotations

from runtime.errors import ArtifactError
from runtime.registry import discover
from toolkit.inspection.base import INPUT, Coding, GraphView, Kernel, Layer, TensorRange

__all__ = ["INPUT", "Coding", "GraphView", "Kernel", "Layer", "TensorRange", "view"]


def view(payload: bytes, suffix: str) -> GraphView:
    """Return a model file as layers.

    Args:
        payload: the file's bytes, with or without manifest and seal.
        suffix: ``.tflite`` or ``.onnx``.

    Raises:
        ArtifactError: another suffix, a damaged file, or a graph that cannot be read.
        MissingDependencyError: the package that reads it is not installed.

    Example::

        graph = view(Path("mnist-cnn.int8.tflite").read_bytes(), ".tflite")
        print([layer.name for layer in graph.layers])
    """
    import toolkit.inspection as package

    kinds = {c.suffix: c for c in discover(package, GraphView).values()}  # type: ignore[type-abstract]
    if suffix.lower() not in kinds:
        raise ArtifactError(f"'{suffix}' is no model file; known: {', '.join(sorted(kinds))}")
    kind = kinds[suffix.lower()]
    return kind(payload)
