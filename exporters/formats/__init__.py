"""Export formats by name; one class here adds one more."""

from __future__ import annotations

from exporters.base import Exporter
from runtime.registry import discover

__all__ = ["registry"]


def registry() -> dict[str, type[Exporter]]:
    """Return the exporter classes by format name, in the order of their rank."""
    import exporters.formats as package

    return discover(package, Exporter)  # type: ignore[type-abstract]
