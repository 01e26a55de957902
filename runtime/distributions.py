"""Which distributions are installed, and in which version."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def installed_version(name: str) -> str | None:
    """Return the version of a distribution, or None; nothing of it is imported."""
    # imported late: it takes a tenth of the time in which a first image is classified
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those distributions that are installed, by name."""
    return {name: found for name in names if (found := installed_version(name))}
