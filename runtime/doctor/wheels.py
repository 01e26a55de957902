"""For which Pythons and machines the engines are published as wheels.

Source: the files of ai-edge-litert 2.3.0, onnxruntime 1.32.0 and tflite-runtime 2.14.0 (the
last one), November 2026. None of them is published for musl.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.doctor.engine import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.backends import Backend
    from runtime.host import Host

_64_BIT = ("x86_64", "aarch64", "arm64", "amd64")
_PI_64 = "install a 64-bit system; Raspberry Pi Imager offers Raspberry Pi OS (64-bit)"
_GLIBC = "docker run --rm -it python:3.13-slim"


@dataclass(frozen=True, slots=True)
class Wheels:
    """Where an engine can be installed from a wheel.

    Attributes:
        newest: the last Python.
        machines: architectures as :func:`platform.machine` names them, lower case.
        bits_32: whether there are some for 32-bit Arm.
        linux_only: whether there are none for other systems.
    """

    newest: tuple[int, int]
    machines: tuple[str, ...] = _64_BIT
    bits_32: bool = False
    linux_only: bool = False


_WHEELS = {
    "ai-edge-litert": Wheels((3, 14)),
    "onnxruntime": Wheels((3, 14)),
    "tflite-runtime": Wheels(
        (3, 11), (*_64_BIT, "armv7l", "armv8l"), bits_32=True, linux_only=True
    ),
}


def install(backend: type[Backend]) -> str:
    """Return the command that installs an engine."""
    return f'pip install "edge-toolkit[{backend.extra}]"'


def lacking(backend: type[Backend], host: Host) -> Diagnosis | None:
    """Return why there is no wheel of an engine for a machine; None where there is one."""
    wheels = _WHEELS.get(backend.package)
    return next(_reasons(backend.package, wheels, host), None) if wheels else None


def absent(backend: type[Backend], others: list[type[Backend]], host: Host) -> Diagnosis:
    """Say what to do about an engine that is not installed.

    Args:
        backend: the engine.
        others: all engines, the preferred ones first.
        host: the machine.
    """
    why = lacking(backend, host)
    if why is None:
        files = " and ".join(backend.suffixes)
        return Diagnosis(f"not installed; it runs {files} files", install(backend))
    return Diagnosis(why.problem, another(backend, others, host) or why.fix)


def another(backend: type[Backend], others: list[type[Backend]], host: Host) -> str:
    """Return the command that installs another engine that has a wheel here; maybe empty.

    Engines for the same files come first.
    """
    able = [one for one in others if one is not backend and not lacking(one, host)]
    able.sort(key=lambda one: not set(one.suffixes) & set(backend.suffixes))
    return install(able[0]) if able else ""


def bits_warning(host: Host) -> str:
    """Return what a 32-bit Python means; empty where it has 64 bits."""
    if host.bits != 32:
        return ""
    kernel = "on a 64-bit kernel" if _kernel_is_64(host) else f"on {host.architecture}"
    return (
        f"this Python is 32-bit {kernel}: of the engines only tflite-runtime on Python 3.11 "
        f"has wheels; {_PI_64}"
    )


def _reasons(package: str, wheels: Wheels, host: Host) -> Iterator[Diagnosis]:
    """Yield what stands against a wheel; the fix is for where no other engine has one."""
    source = f"build {package} from its source"
    if wheels.linux_only and sys.platform != "linux":
        yield Diagnosis(f"{package} has wheels for Linux only", source)
    if host.libc.startswith("musl"):
        yield Diagnosis(f"{package} has no wheel for systems with musl: {host.system}", _GLIBC)
    if host.bits == 32 and not wheels.bits_32:
        where = " on a 64-bit kernel" if _kernel_is_64(host) else ""
        why = f"{package} has no 32-bit wheel, and this Python is 32-bit{where}"
        yield Diagnosis(why, _PI_64)
    if host.architecture.lower() not in wheels.machines:
        yield Diagnosis(f"{package} has no wheel for {host.architecture}", source)
    if host.python_version > wheels.newest:
        ours, last = (".".join(map(str, one)) for one in (host.python_version, wheels.newest))
        why = f"no wheel of {package} for Python {ours} is known; the last is for {last}"
        yield Diagnosis(why, f"python{last} -m venv edge")


def _kernel_is_64(host: Host) -> bool:
    return host.architecture.lower() in _64_BIT
