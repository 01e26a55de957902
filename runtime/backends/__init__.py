"""Backends by name: the engines that run model files. One file in this package adds one."""

from __future__ import annotations

from runtime.backends.base import Backend
from runtime.backends.options import AUTO, BackendOptions
from runtime.registry import discover

__all__ = ["AUTO", "Backend", "BackendOptions", "for_suffix", "registry"]


def registry() -> dict[str, type[Backend]]:
    """Return the backend classes by name, in order of preference.

    Example:
        >>> list(registry())
        ['litert', 'onnxruntime', 'tflite-runtime', 'openvino']
    """
    import runtime.backends as package

    return discover(package, Backend)  # type: ignore[type-abstract]


def for_suffix(suffix: str) -> list[type[Backend]]:
    """Return the backends for files with this suffix, in order of preference.

    Example:
        >>> [backend.name for backend in for_suffix(".onnx")]
        ['onnxruntime', 'openvino']
    """
    return [backend for backend in registry().values() if suffix in backend.suffixes]
