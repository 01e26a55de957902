"""Versions of the packages that a result depends on."""

from __future__ import annotations

import platform

from runtime.backends import registry
from runtime.registry import installed_versions

_PACKAGES = (
    "edge-toolkit",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "numpy",
    "onnx",
    "tf2onnx",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the relevant installed packages.

    Example:
        >>> {"python", "numpy"} <= versions().keys()
        True
    """
    packages = (*_PACKAGES, *(backend.package for backend in registry().values()))
    return {"python": platform.python_version()} | installed_versions(packages)
