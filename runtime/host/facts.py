"""Description of this machine: hardware, system and Python."""

from __future__ import annotations

import mmap
import platform
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.host.graphics import gpu_adapters, vulkan_drivers
from runtime.host.system import board_name, c_library, memory_mb, system_name, virtual_kind
from runtime.proc import ROOT
from runtime.processor import cpu_features, cpu_name, usable_cores
from runtime.registry import installed_version


@dataclass(frozen=True, slots=True)
class Host:
    """The machine, its system and the Python that runs on it.

    Attributes:
        cpu: name of the processor; on Arm, of its core.
        cores: number of cores this process may run on.
        architecture: machine type of the kernel, for example ``x86_64`` or ``aarch64``.
        board: model in the device tree, for example ``Raspberry Pi 5 Model B Rev 1.0``.
        features: instructions that matter to engines, with the same names on Arm and x86.
        memory_mb: memory in MB (1,000,000 bytes); None if the system does not report it.
        free_mb: available memory in MB.
        page_size: size of a memory page in bytes.
        bits: word size of this Python, 32 or 64; the kernel may have 64 where Python has 32.
        system: name of the operating system.
        kernel: release of the kernel.
        python: version of Python.
        libc: C library and its version.
        numpy: version of numpy.
        virtual: ``emulated``, ``container``, ``virtual machine``, or empty.
        gpus: graphics adapters that the system lists.
        vulkan: installed Vulkan drivers.

    Example:
        >>> machine = Host(cpu="Cortex-A76", cores=4, architecture="aarch64", python="3.13.5")
        >>> machine.python_version
        (3, 13)
    """

    cpu: str
    cores: int
    architecture: str
    board: str | None = None
    features: tuple[str, ...] = ()
    memory_mb: int | None = None
    free_mb: int | None = None
    page_size: int = mmap.PAGESIZE
    bits: int = 64
    system: str = ""
    kernel: str = ""
    python: str = "3.11"
    libc: str = ""
    numpy: str = ""
    virtual: str = ""
    gpus: tuple[str, ...] = ()
    vulkan: tuple[str, ...] = ()

    @property
    def python_version(self) -> tuple[int, int]:
        """Major and minor version of Python."""
        major, minor = self.python.split(".")[:2]
        return int(major), int(minor)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def host(root: Path = ROOT) -> Host:
    """Describe a machine and this Python.

    Args:
        root: folder that contains ``proc``, ``sys``, ``etc``, ``usr`` and ``run``.

    Example:
        >>> machine = host()
        >>> machine.cores >= 1, machine.bits in (32, 64)
        (True, True)
    """
    machine = platform.machine()
    total, free = memory_mb(root)
    return Host(
        cpu=cpu_name(root) or platform.processor() or machine,
        cores=usable_cores(),
        architecture=machine,
        board=board_name(root),
        features=cpu_features(root),
        memory_mb=total,
        free_mb=free,
        page_size=mmap.PAGESIZE,
        bits=64 if sys.maxsize > 2**32 else 32,
        system=system_name(root),
        kernel=platform.release(),
        python=platform.python_version(),
        libc=c_library(),
        numpy=installed_version("numpy") or "",
        virtual=virtual_kind(root, machine),
        gpus=gpu_adapters(root),
        vulkan=vulkan_drivers(root),
    )
