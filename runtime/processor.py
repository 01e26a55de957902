"""The processor of this machine, and its instructions that matter to an engine."""

from __future__ import annotations

import os
import platform
from functools import cache
from typing import TYPE_CHECKING

from runtime.proc import colon_fields, text_of

if TYPE_CHECKING:
    from pathlib import Path

# Name in /proc/cpuinfo, and the name used in this package. Sources: the kernel's
# Documentation/arch/arm64/elf_hwcaps.rst and arch/x86/include/asm/cpufeatures.h.
_NAMES = {
    "asimd": "neon",
    "neon": "neon",
    "atomics": "atomics",  # large system extensions of ARMv8.1
    "asimdhp": "fp16",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve": "sve",
    "sve2": "sve2",
    "sme": "sme",
    "avx": "avx",
    "f16c": "f16c",  # converts float16, does not compute with it
    "fma": "fma",
    "avx2": "avx2",
    "avx512f": "avx512",
    "avx_vnni": "vnni",
    "avx512_vnni": "vnni",
    "avx512_bf16": "bf16",
    "avx512_fp16": "fp16",
    "amx_tile": "amx",
}
# Main ID Register, part number of cores by Arm (implementer 0x41): Arm's technical manuals.
_ARM_CORES = {
    "0xb76": "ARM1176",
    "0xc07": "Cortex-A7",
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse N1",
    "0xd40": "Neoverse V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd49": "Neoverse N2",
    "0xd4f": "Neoverse V2",
}
_ARM = "0x41"
_X86 = ("x86_64", "amd64", "i386", "i686")  # names on Linux, macOS and Windows


def cpu_name(root: Path) -> str:
    """Return the name of the processor, or of an Arm core; empty if Linux reports none.

    Args:
        root: folder that contains ``proc``.

    Example:
        >>> from pathlib import Path
        >>> Path("proc").mkdir(exist_ok=True)
        >>> size = Path("proc/cpuinfo").write_text("model name : AMD EPYC 7B13")
        >>> cpu_name(Path())
        'AMD EPYC 7B13'
    """
    fields = colon_fields(text_of(root / "proc/cpuinfo"))
    if fields.get("CPU implementer") == _ARM:
        part = fields.get("CPU part", "")
        return _ARM_CORES.get(part, f"Arm core {part}")
    return fields.get("model name") or fields.get("Model") or ""


def cpu_features(root: Path) -> tuple[str, ...]:
    """Return the instructions that decide how fast, or whether, an engine runs.

    Args:
        root: folder that contains ``proc``.

    Returns:
        Names with the same meaning on Arm and x86, for example ``dotprod``, ``fp16``,
        ``vnni``; empty if the system does not list them.

    Example:
        >>> from pathlib import Path
        >>> Path("proc").mkdir(exist_ok=True)
        >>> size = Path("proc/cpuinfo").write_text("Features : fp asimd asimddp")
        >>> cpu_features(Path())
        ('neon', 'dotprod')
    """
    fields = colon_fields(text_of(root / "proc/cpuinfo"))
    listed = set((fields.get("Features") or fields.get("flags") or "").split())
    return tuple(dict.fromkeys(name for raw, name in _NAMES.items() if raw in listed))


@cache
def lacks_vnni(root: Path) -> bool:
    """Whether this is an x86 processor without VNNI.

    There the instruction that multiplies unsigned by signed 8-bit integers adds two products
    in 16 bits and saturates, so that an engine that uses it predicts wrongly. If the system
    lists no instructions, as on Windows, VNNI counts as missing: correct goes before fast.

    Args:
        root: folder that contains ``proc``.

    Example::

        if lacks_vnni(ROOT):
            options.add_session_config_entry("session.x64quantprecision", "1")
    """
    return platform.machine().lower() in _X86 and "vnni" not in cpu_features(root)


def usable_cores() -> int:
    """Return the number of cores this process may run on.

    Example:
        >>> usable_cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
