"""GPUs, distinguished from software renderers on the CPU."""

from __future__ import annotations

import ctypes
import re
import struct
import sys
from dataclasses import dataclass

# Mesa, Google, Microsoft: drivers that compute on the CPU.
_SOFTWARE = re.compile(
    r"llvmpipe|lavapipe|softpipe|swiftshader|basic render|\bwarp\b", re.IGNORECASE
)
_VULKAN_CPU = 4  # VkPhysicalDeviceType VK_PHYSICAL_DEVICE_TYPE_CPU
_INSTANCE_CREATE_INFO = 1  # VkStructureType VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO
_PROPERTIES_SIZE = 4096  # VkPhysicalDeviceProperties has 824 bytes
INSTALL_VULKAN = "sudo apt install libvulkan1 mesa-vulkan-drivers, or the GPU maker's own driver"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A compute device of Vulkan, Metal or Direct3D.

    Attributes:
        name: name reported by the driver.
        kind: device type reported by the interface, for example ``Discrete GPU``.

    Example:
        >>> Adapter("llvmpipe (LLVM 19.1.7, 256 bits)").is_software
        True
        >>> Adapter("NVIDIA L4", "Discrete GPU").is_software
        False
    """

    name: str
    kind: str = ""

    @property
    def is_software(self) -> bool:
        """Whether it is a software renderer on the CPU."""
        kind = self.kind.lower()
        return "cpu" in kind or "software" in kind or bool(_SOFTWARE.search(self.name))


def vulkan_loader() -> ctypes.CDLL | None:
    """Open the Vulkan loader, which loads no driver yet; None if it is not installed.

    Example::

        if vulkan_loader() is None:
            print(f"no Vulkan: {INSTALL_VULKAN}")
    """
    try:
        return ctypes.CDLL("vulkan-1.dll" if sys.platform == "win32" else "libvulkan.so.1")
    except OSError:
        return None


def vulkan_adapters() -> tuple[Adapter, ...]:
    """Return the adapters of Vulkan; this loads the drivers.

    The structures are those of the Vulkan specification, chapters "Initialization" and
    "Devices and Queues".

    Example::

        gpus = [adapter for adapter in vulkan_adapters() if not adapter.is_software]
    """
    vulkan = vulkan_loader()
    if vulkan is None:
        return ()
    # VkInstanceCreateInfo: sType, pNext, flags, application, layers and extensions: none.
    request = struct.pack("@iPIPIPIP", _INSTANCE_CREATE_INFO, *([0] * 7))
    instance = ctypes.c_void_p()
    if vulkan.vkCreateInstance(request, None, ctypes.byref(instance)) != 0:
        return ()
    try:
        return tuple(_properties(vulkan, device) for device in _devices(vulkan, instance))
    finally:
        vulkan.vkDestroyInstance(instance, None)


def _devices(vulkan: ctypes.CDLL, instance: ctypes.c_void_p) -> list[int]:
    count = ctypes.c_uint32()
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), None)
    handles = (ctypes.c_void_p * count.value)()
    vulkan.vkEnumeratePhysicalDevices(instance, ctypes.byref(count), handles)
    return [handle for handle in handles if handle]


def _properties(vulkan: ctypes.CDLL, device: int) -> Adapter:
    # Five numbers (the last is the type), then the name in 256 bytes.
    buffer = ctypes.create_string_buffer(_PROPERTIES_SIZE)
    vulkan.vkGetPhysicalDeviceProperties(ctypes.c_void_p(device), buffer)
    *_, kind = struct.unpack_from("=5I", buffer)
    name = buffer.raw[20:276].split(b"\0")[0].decode("utf-8", errors="replace")
    return Adapter(name, "CPU" if kind == _VULKAN_CPU else "GPU")
