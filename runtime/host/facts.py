"""What this machine is."""

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
        cpu: the name of the processor; on Arm, of its core.
        cores: how many this process may use.
        architecture: what the kernel tells, for example ``x86_64`` or ``aarch64``.
        board: the model from the device tree, for example ``Raspberry Pi 5 Model B Rev 1.0``.
        features: instructions that matter to engines, by one name on Arm and x86.
        memory_mb: in MB (1,000,000 bytes); None where the system does not tell.
        free_mb: what of it programs can still get.
        page_size: bytes of a page of memory.
        bits: of this Python, 32 or 64; the kernel may have more.
        system: the system's own name.
        kernel: its release.
        python: the version.
        libc: the C library and its version.
        numpy: its version.
        virtual: ``emulated``, ``container``, ``virtual machine``, or empty.
        gpus: the graphics adapters that the system shows.
        vulkan: the Vulkan drivers that are installed.
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
        root: where ``proc``, ``sys``, ``etc``, ``usr`` and ``run`` lie.
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
