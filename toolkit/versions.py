"""The versions that a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "edge-toolkit",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "numpy",
    "onnx",
    "tf2onnx",
    "onnxruntime",
    "ai-edge-litert",
    "tflite-runtime",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that matter."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
