"""An x86 processor with AVX2 and without VNNI, emulated by QEMU's user mode, without root.

QEMU gives programs the processor's instructions. What /proc/cpuinfo shows is a file of ours:
QEMU looks below the folder of ``-L`` first, for every file that a program opens.
"""

from __future__ import annotations

import fcntl
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from debian import NotAvailableError, debian_mirror, download, unpack
from userland import EMULATOR_SUITE, cache_folder
from wheels import ROOT

CPU = "Haswell-noTSX"  # of all that QEMU computes without a warning, the newest without VNNI
FLAGS = "fpu sse4_1 sse4_2 avx f16c fma avx2"  # of its /proc/cpuinfo, as far as it is read here
_SECONDS = 600


def emulator() -> Path:
    """Return QEMU for x86-64 programs; unpack it if it is not in the cache.

    Raises:
        NotAvailableError: this machine cannot do so; the message says why.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise NotAvailableError("the emulated x86 processor needs Linux on x86-64")
    place = cache_folder() / f"qemu-x86_64-{EMULATOR_SUITE}"
    if place.exists():
        return place
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NotAvailableError(f"the emulated x86 processor needs {tool} to unpack Debian")
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / ".qemu-x86_64.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be unpacking it
        if not place.exists():
            _unpack(place)
    return place


def run(root: Path, flags: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run this Python on the emulated processor; what it starts itself is not emulated.

    Args:
        root: a folder for the files that are shown instead of the machine's.
        flags: what /proc/cpuinfo is to say of the processor.
        arguments: of Python.

    Raises:
        NotAvailableError: there is no emulator.
    """
    cpuinfo = root / "proc" / "cpuinfo"
    cpuinfo.parent.mkdir(exist_ok=True)
    cpuinfo.write_text(f"model name\t: {CPU}\nflags\t\t: {flags}\n")
    command = [emulator(), "-L", root, "-cpu", CPU, sys.executable, *arguments]
    return subprocess.run(
        [str(word) for word in command],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=_SECONDS,
    )


def _unpack(place: Path) -> None:
    """Take QEMU out of Debian's package, and rename it when it is whole."""
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".new-") as folder:
        scratch = Path(folder)
        (archive,) = download(
            debian_mirror(), EMULATOR_SUITE, "amd64", ("qemu-user",), scratch, alone=True
        )
        unpack(archive, scratch / "unpacked")
        (scratch / "unpacked" / "usr" / "bin" / "qemu-x86_64").rename(place)
