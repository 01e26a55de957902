"""Backends by name: the engines that run model files; one file here adds one more."""

from __future__ import annotations

from runtime.backends.base import Backend
from runtime.backends.options import AUTO, BackendOptions
from runtime.registry import discover

__all__ = ["AUTO", "Backend", "BackendOptions", "for_suffix", "registry"]


def registry() -> dict[str, type[Backend]]:
    """Return the backend classes by name, the preferred ones first."""
    import runtime.backends as package

    return discover(package, Backend)  # type: ignore[type-abstract]


def for_suffix(suffix: str) -> list[type[Backend]]:
    """Return the backends that run files with this ending, the preferred ones first."""
    return [backend for backend in registry().values() if suffix in backend.suffixes]
