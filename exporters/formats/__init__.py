"""Registry of export formats; a class in a module of this package adds a format."""

from __future__ import annotations

from exporters.base import Exporter
from runtime.registry import discover

__all__ = ["registry"]


def registry() -> dict[str, type[Exporter]]:
    """Return the exporter classes by format name, ordered by rank.

    Example:
        >>> list(registry())[:2]
        ['tflite', 'tflite-float16']
        >>> registry()["onnx-int8"].suffix
        '.onnx'
    """
    import exporters.formats as package

    return discover(package, Exporter)  # type: ignore[type-abstract]
