"""Architectures by name; each file in this package adds one."""

from __future__ import annotations

from runtime.registry import discover
from toolkit.architectures.base import Architecture, BuildOptions

__all__ = ["Architecture", "BuildOptions", "registry"]


def registry() -> dict[str, type[Architecture]]:
    """Return the architecture classes by name.

    Example:
        >>> registry()["resnet20"].paddings
        ('same',)
    """
    import toolkit.architectures as package

    return discover(package, Architecture)  # type: ignore[type-abstract]
