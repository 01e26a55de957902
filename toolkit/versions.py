"""The versions that a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from runtime.backends import registry

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
    """Return the versions of Python and of the installed packages that matter."""
    found = {"python": platform.python_version()}
    for package in (*_PACKAGES, *(backend.package for backend in registry().values())):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
