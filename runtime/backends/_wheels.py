"""For which Pythons and machines an engine is published as wheels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BITS_64 = ("x86_64", "aarch64", "arm64", "amd64")


@dataclass(frozen=True, slots=True)
class Wheels:
    """Where an engine can be installed from a wheel; none of them is published for musl.

    Attributes:
        newest: the last Python.
        machines: architectures as :func:`platform.machine` names them, lower case.
        bits_32: whether there are some for 32-bit Arm.
        linux_only: whether there are none for other systems.
        glibc: the oldest one by architecture, where it is newer than that of the systems in use.
    """

    newest: tuple[int, int]
    machines: tuple[str, ...] = BITS_64
    bits_32: bool = False
    linux_only: bool = False
    glibc: Mapping[str, tuple[int, int]] = field(default_factory=dict)
