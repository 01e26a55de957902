"""Engines that can be installed from a wheel on a machine, and what to do about the others.

The platforms of an engine's wheels are stated by its backend: ``Backend.wheels``.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from runtime.backends._wheels import BITS_64
from runtime.doctor.engine import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.backends import Backend
    from runtime.backends._wheels import Wheels
    from runtime.host import Host

_PI_64 = "install a 64-bit system; Raspberry Pi Imager offers Raspberry Pi OS (64-bit)"
_GLIBC = "docker run --rm -it python:3.13-slim"


def install(backend: type[Backend]) -> str:
    """Return the command that installs an engine.

    Args:
        backend: the engine.

    Example:
        >>> from runtime.backends import registry
        >>> install(registry()["litert"])
        'pip install "edge-toolkit[litert]"'
    """
    return f'pip install "edge-toolkit[{backend.extra}]"'


def lacking(backend: type[Backend], host: Host) -> Diagnosis | None:
    """Return why there is no wheel of an engine for a machine; None if there is one.

    Args:
        backend: the engine.
        host: the machine.

    Example:
        >>> from runtime.backends import registry
        >>> from runtime.host import Host
        >>> riscv = Host(cpu="SpacemiT X60", cores=8, architecture="riscv64")
        >>> lacking(registry()["onnxruntime"], riscv).problem
        'onnxruntime has no wheel for riscv64'
    """
    wheels = backend.wheels
    return next(_reasons(backend.package, wheels, host), None) if wheels else None


def absent(backend: type[Backend], others: list[type[Backend]], host: Host) -> Diagnosis:
    """Return what to do about an engine that is not installed.

    Args:
        backend: the engine.
        others: all engines, the preferred ones first.
        host: the machine.

    Example::

        print(absent(backend, list(registry().values()), host()).fix)
    """
    why = lacking(backend, host)
    if why is None:
        files = " and ".join(backend.suffixes)
        return Diagnosis(f"not installed; it runs {files} files", install(backend))
    return Diagnosis(why.problem, another(backend, others, host) or why.fix)


def another(backend: type[Backend], others: list[type[Backend]], host: Host) -> str:
    """Return the command that installs another engine with a wheel for a machine, or nothing.

    Args:
        backend: the engine.
        others: all engines, the preferred ones first.
        host: the machine.

    Example::

        print(another(backend, list(registry().values()), host()))
    """
    other = other_engine(backend, others, host)
    return install(other) if other else ""


def other_engine(
    backend: type[Backend], others: list[type[Backend]], host: Host
) -> type[Backend] | None:
    """Return another engine with a wheel for a machine, if there is one.

    Engines for the same files come first.

    Args:
        backend: the engine.
        others: all engines, the preferred ones first.
        host: the machine.

    Example::

        other = other_engine(backend, list(registry().values()), host())
    """
    able = [one for one in others if one is not backend and not lacking(one, host)]
    able.sort(key=lambda one: not set(one.suffixes) & set(backend.suffixes))
    return able[0] if able else None


def bits_warning(host: Host) -> str:
    """Return a warning about a 32-bit Python; empty if it has 64 bits.

    Args:
        host: the machine.

    Example:
        >>> from runtime.host import Host
        >>> bits_warning(Host(cpu="Cortex-A72", cores=4, architecture="armv7l", bits=32))[:35]
        'this Python is 32-bit on armv7l: of'
    """
    if host.bits != 32:
        return ""
    kernel = "on a 64-bit kernel" if _kernel_is_64(host) else f"on {host.architecture}"
    return (
        f"this Python is 32-bit {kernel}: of the engines only tflite-runtime on Python 3.11 "
        f"has wheels; {_PI_64}"
    )


def _reasons(package: str, wheels: Wheels, host: Host) -> Iterator[Diagnosis]:
    """Yield the reasons against a wheel; the fix applies if no other engine has one."""
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
    if (needed := wheels.glibc.get(host.architecture.lower())) and _glibc(host) < needed:
        least = ".".join(map(str, needed))
        why = f"{package} has wheels for glibc {least} and newer, this system has {host.libc}"
        yield Diagnosis(why, "install a newer system; Raspberry Pi OS 12 has glibc 2.36")
    if host.python_version > wheels.newest:
        version, last = (".".join(map(str, one)) for one in (host.python_version, wheels.newest))
        why = f"no wheel of {package} for Python {version} is known; the last is for {last}"
        yield Diagnosis(why, f"python{last} -m venv edge")


def _kernel_is_64(host: Host) -> bool:
    return host.architecture.lower() in BITS_64


def _glibc(host: Host) -> tuple[int, ...]:
    """Return the version of glibc; if it is unknown, one that is new enough for all."""
    found = re.match(r"glibc (\d+)\.(\d+)", host.libc)
    return tuple(map(int, found.groups())) if found else (99,)
