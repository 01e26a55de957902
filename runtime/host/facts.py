"""What this machine is."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from typing import Any

from runtime.host.proc import colon_fields, text_of


@dataclass(frozen=True, slots=True)
class Host:
    """The machine that measures.

    Attributes:
        cpu: its name, as the system tells it.
        cores: how many this process may use.
        architecture: for example ``x86_64`` or ``aarch64``.
    """

    cpu: str
    cores: int
    architecture: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def host() -> Host:
    """Describe this machine."""
    machine = platform.machine()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Host(_cpu_name() or platform.processor() or machine, cores or 1, machine)


def _cpu_name() -> str:
    """Return what Linux calls the processor; on a Raspberry Pi, the board."""
    fields = colon_fields(text_of("/proc/cpuinfo"))
    return fields.get("model name") or fields.get("Model") or ""
