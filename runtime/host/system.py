"""The system around the processor: its name, its memory, and whether it is a real machine."""

from __future__ import annotations

import platform
import sysconfig
from typing import TYPE_CHECKING

from runtime.proc import colon_fields, text_of

if TYPE_CHECKING:
    from pathlib import Path


def system_name(root: Path) -> str:
    """Return the system's own name, for example ``Debian GNU/Linux 12 (bookworm)``."""
    for line in text_of(root / "etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'")
    return f"{platform.system()} {platform.release()}"


def board_name(root: Path) -> str | None:
    """Return the board's model from the device tree; None where there is no such tree."""
    for file in ("proc/device-tree/model", "sys/firmware/devicetree/base/model"):
        if model := text_of(root / file):
            return model
    return None


def memory_mb(root: Path) -> tuple[int | None, int | None]:
    """Return the memory, and what of it programs can still get, in MB (1,000,000 bytes)."""
    fields = colon_fields(text_of(root / "proc/meminfo"))
    total, free = (_kilobytes(fields.get(key, "")) for key in ("MemTotal", "MemAvailable"))
    return total, free


def c_library() -> str:
    """Return the C library of this Python, for example ``glibc 2.36``; empty if unknown."""
    if "musl" in (sysconfig.get_config_var("EXT_SUFFIX") or ""):
        return "musl"  # platform.libc_ver() knows it only from Python 3.14 on
    return " ".join(platform.libc_ver()).strip()


def virtual_kind(root: Path, machine: str) -> str:
    """Tell what stands between Python and the hardware, as far as files show it.

    Args:
        root: where ``proc``, ``sys`` and ``run`` lie.
        machine: what the kernel says the processor is, for example ``aarch64``.

    Returns:
        ``emulated``, ``container``, ``virtual machine``, or nothing.
    """
    # User-mode emulation shows another uname, but the /sys of the real machine.
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
