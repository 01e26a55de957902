"""The operating system: name, board, memory, C library and virtualization."""

from __future__ import annotations

import platform
import sysconfig
from typing import TYPE_CHECKING

from runtime.proc import colon_fields, text_of

if TYPE_CHECKING:
    from pathlib import Path


def system_name(root: Path) -> str:
    """Return the name of the system, for example ``Debian GNU/Linux 12 (bookworm)``.

    Args:
        root: folder that contains ``etc``.

    Example:
        >>> from pathlib import Path
        >>> Path("etc").mkdir()
        >>> size = Path("etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12"')
        >>> system_name(Path())
        'Debian GNU/Linux 12'
    """
    for line in text_of(root / "etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'")
    return f"{platform.system()} {platform.release()}"


def board_name(root: Path) -> str | None:
    """Return the board's model in the device tree; None if there is none.

    Args:
        root: folder that contains ``proc`` and ``sys``.

    Example:
        >>> from pathlib import Path
        >>> Path("proc/device-tree").mkdir(parents=True)
        >>> size = Path("proc/device-tree/model").write_text("Raspberry Pi 5 Model B Rev 1.0")
        >>> board_name(Path())
        'Raspberry Pi 5 Model B Rev 1.0'
    """
    for file in ("proc/device-tree/model", "sys/firmware/devicetree/base/model"):
        if model := text_of(root / file):
            return model
    return None


def memory_mb(root: Path) -> tuple[int | None, int | None]:
    """Return total and available memory in MB (1,000,000 bytes); None if unknown.

    Args:
        root: folder that contains ``proc``.

    Example:
        >>> from pathlib import Path
        >>> Path("proc").mkdir(exist_ok=True)
        >>> size = Path("proc/meminfo").write_text("MemTotal: 8000000 kB")
        >>> memory_mb(Path())
        (8192, None)
    """
    fields = colon_fields(text_of(root / "proc/meminfo"))
    total, free = (_kilobytes(fields.get(key, "")) for key in ("MemTotal", "MemAvailable"))
    return total, free


def c_library() -> str:
    """Return the C library of this Python, for example ``glibc 2.36``; empty if unknown.

    Example::

        print(c_library())
    """
    if "musl" in (sysconfig.get_config_var("EXT_SUFFIX") or ""):
        return "musl"  # platform.libc_ver() detects it only from Python 3.14 on
    return " ".join(platform.libc_ver()).strip()


def virtual_kind(root: Path, machine: str) -> str:
    """Detect emulation, a container or a virtual machine, as far as files show it.

    Args:
        root: folder that contains ``proc``, ``sys`` and ``run``.
        machine: machine type of the kernel, for example ``aarch64``.

    Returns:
        ``emulated``, ``container``, ``virtual machine``, or an empty text.

    Example:
        >>> from pathlib import Path
        >>> Path(".dockerenv").touch()
        >>> virtual_kind(Path(), "x86_64")
        'container'
    """
    # User-mode emulation reports another uname, but the /sys of the real machine.
    real = text_of(root / "sys/devices/system/cpu/modalias")
    if real.startswith("cpu:type:x86") and machine.startswith(("aarch64", "arm")):
        return "emulated"
    marks = ("run/.containerenv", ".dockerenv", "run/systemd/container")
    if any((root / mark).exists() for mark in marks):
        return "container"
    flags = colon_fields(text_of(root / "proc/cpuinfo")).get("flags", "")
    return "virtual machine" if "hypervisor" in flags.split() else ""


def _kilobytes(text: str) -> int | None:
    number = text.partition(" ")[0]
    return round(int(number) * 1024 / 1e6) if number.isdigit() else None
