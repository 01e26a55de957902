"""Installed distributions of an engine, from their metadata; no engine is imported."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distributions, requires

_SELF = "edge-toolkit"


def bringing(package: str, module: str) -> tuple[str, ...]:
    """Return the installed distributions that contain a module.

    Args:
        package: the engine's distribution; its variants are called ``package-something``.
        module: the engine's import name.

    Example:
        >>> bringing("numpy", "numpy")
        ('numpy',)
    """
    found = set()
    for one in distributions():
        name = re.sub(r"[-_.]+", "-", one.metadata["Name"] or "").lower()
        if (name == package or name.startswith(f"{package}-")) and _contains(one, module):
            found.add(name)
    return tuple(sorted(found))


def floor(package: str, extra: str) -> str | None:
    """Return the lowest version of an engine that an extra of this distribution accepts.

    Args:
        package: the engine's distribution.
        extra: the extra of this distribution that installs it.

    Example:
        >>> floor("no-such-distribution", "litert") is None
        True
    """
    try:
        requirements = requires(_SELF) or []
    except PackageNotFoundError:
        return None  # run from a source folder
    for line in requirements:
        found = re.match(rf"{re.escape(package)}\s*>=\s*([\d.]+)", line)
        if found and re.search(rf"""extra == ["']{extra}["']""", line):
            return found[1]
    return None


def older(version: str, least: str) -> bool:
    """Whether a version is below another one; only the numbers before any suffix count.

    Args:
        version: for example ``1.21.0``.
        least: the version to compare with.

    Example:
        >>> older("1.9.2", "1.10"), older("2.0rc1", "2.0")
        (True, False)
    """
    return _numbers(version) < _numbers(least)


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _contains(one: Distribution, module: str) -> bool:
    names = (one.read_text("top_level.txt") or "").split()
    return module in names or any(str(file) == f"{module}/__init__.py" for file in one.files or ())
