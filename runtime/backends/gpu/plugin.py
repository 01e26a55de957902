"""GPU providers of ONNX Runtime that are packages of their own."""

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
    """Whether the plugin package of this provider is installed, without importing it.

    Example:
        >>> from runtime.backends.providers import BY_NAME
        >>> is_installed(BY_NAME["cuda"])  # part of onnxruntime-gpu, no plugin
        False
    """
    return bool(provider.plugin) and find_spec(provider.plugin) is not None


def device(ort: Any, provider: Provider) -> tuple[Any, str]:
    """Return the GPU device of a plugin, and its name.

    Args:
        ort: the module ``onnxruntime``.
        provider: a provider that is installed as a plugin.

    Raises:
        DeviceUnavailableError: it offers none, or only a software renderer.

    Example::

        gpu, name = device(onnxruntime, BY_NAME["webgpu"])
    """
    register(ort, provider.name, provider.plugin)
    gpu = ort.OrtHardwareDeviceType.GPU
    offered = [d for d in ort.get_ep_devices() if d.ep_name == provider.ort]
    real = [d for d in offered if d.device.type == gpu and "is_virtual" not in d.device.metadata]
    # The plugin picks an adapter itself and does not report which, so all are checked.
    # Only on Linux does it use Vulkan.
    adapters = vulkan_adapters() if sys.platform == "linux" else ()
    hardware = [adapter for adapter in adapters if not adapter.is_software]
    if not real or (sys.platform == "linux" and not hardware):
        reason = _no_gpu_reason(adapters)
        raise DeviceUnavailableError(f"{reason}; install its driver: {INSTALL_VULKAN}")
    return real[0], hardware[0].name if hardware else str(real[0].device.vendor)


@functools.cache
def register(ort: Any, name: str, package: str) -> None:
    """Register a plugin with ONNX Runtime, which is possible once per process.

    Args:
        ort: the module ``onnxruntime``.
        name: name of the provider.
        package: import name of the plugin package.

    Example::

        register(onnxruntime, "webgpu", "onnxruntime_ep_webgpu")
    """
    library = importlib.import_module(package).get_library_path()
    ort.register_execution_provider_library(name, library)


def _no_gpu_reason(adapters: tuple[Adapter, ...]) -> str:
    if not adapters:
        return "Vulkan finds no GPU"
    if all(adapter.is_software for adapter in adapters):
        return (
            f"the only adapter is {adapters[0].name}, a software renderer that computes on the CPU"
        )
    return f"the plugin does not offer {adapters[0].name}"
