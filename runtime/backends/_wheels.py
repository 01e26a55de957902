"""The Python versions and machines for which an engine is published as wheels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BITS_64 = ("x86_64", "aarch64", "arm64", "amd64")


@dataclass(frozen=True, slots=True)
class Wheels:
    """The wheels of an engine; no engine publishes any for musl.

    Attributes:
        newest: newest supported version of Python.
        machines: architectures as :func:`platform.machine` names them, in lower case.
        bits_32: whether there are wheels for 32-bit Arm.
        linux_only: whether there are none for other operating systems.
        glibc: oldest glibc by architecture, where it is newer than that of systems in use.

    Example:
        >>> Wheels((3, 14)).machines
        ('x86_64', 'aarch64', 'arm64', 'amd64')
    """

    newest: tuple[int, int]
    machines: tuple[str, ...] = BITS_64
    bits_32: bool = False
    linux_only: bool = False
    glibc: Mapping[str, tuple[int, int]] = field(default_factory=dict)
