"""GPU providers that come to ONNX Runtime as a package of their own."""

from __future__ import annotations

import functools
import importlib
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from runtime.backends.gpu.adapters import INSTALL_VULKAN, Adapter, vulkan_adapters
from runtime.errors import DeviceUnavailableError

if TYPE_CHECKING:
    from runtime.backends.providers import Provider


def is_installed(provider: Provider) -> bool:
    """Whether a package brings this provider, without importing it."""
    return bool(provider.plugin) and find_spec(provider.plugin) is not None


def device(ort: Any, provider: Provider) -> tuple[Any, str]:
    """Return the GPU that a plugin offers to ONNX Runtime, and its name.

    Args:
        ort: the module ``onnxruntime``.
        provider: one that is installed as a plugin.

    Raises:
        DeviceUnavailableError: it offers none, or only a program that acts like one.
    """
    register(ort, provider.name, provider.plugin)
    gpu = ort.OrtHardwareDeviceType.GPU
    offered = [d for d in ort.get_ep_devices() if d.ep_name == provider.ort]
    real = [d for d in offered if d.device.type == gpu and "is_virtual" not in d.device.metadata]
    # The plugin picks an adapter itself and does not tell which: so each is looked at.
    # Only on Linux does it go through Vulkan.
    adapters = vulkan_adapters() if sys.platform == "linux" else ()
    hardware = [adapter for adapter in adapters if not adapter.is_software]
    if not real or (sys.platform == "linux" and not hardware):
        raise DeviceUnavailableError(f"{_lack(adapters)}; install its driver: {INSTALL_VULKAN}")
    return real[0], hardware[0].name if hardware else str(real[0].device.vendor)


@functools.cache
def register(ort: Any, name: str, package: str) -> None:
    """Make a plugin known to ONNX Runtime; that can be done once a process.

    Args:
        ort: the module ``onnxruntime``.
        name: of the provider.
        package: the import name of the package that brings it.
    """
    library = importlib.import_module(package).get_library_path()
    ort.register_execution_provider_library(name, library)


def _lack(adapters: tuple[Adapter, ...]) -> str:
    if not adapters:
        return "Vulkan finds no GPU"
    if all(adapter.is_software for adapter in adapters):
        return f"the only adapter is {adapters[0].name}, a program that computes on the CPU"
    return f"it does not offer {adapters[0].name}"
