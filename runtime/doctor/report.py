"""Report of the doctor, as JSON and as text of at most 80 columns (commands may be longer)."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.doctor.engine import EngineState
from runtime.host import Host, PowerState, throttle_words

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 80
_INDENT = " " * 11


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """Report of the doctor.

    Attributes:
        backends: the engines, the preferred ones first.
        host: the machine.
        power: its current power state.
        warnings: what slows a model down although engines work.
        device: the requested device: ``cpu``, ``gpu`` or ``auto``.

    Example:
        >>> machine = Host(cpu="Cortex-A76", cores=4, architecture="aarch64")
        >>> engine = EngineState("litert", "works", "2.0.2", "cpu")
        >>> report = DoctorReport((engine,), machine, PowerState(), (), "auto")
        >>> report.healthy, report.to_text().splitlines()[1].split()
        (True, ['works', 'litert', '2.0.2', 'cpu'])
    """

    backends: tuple[EngineState, ...]
    host: Host
    power: PowerState
    warnings: tuple[str, ...]
    device: str

    @property
    def healthy(self) -> bool:
        """Whether an engine works; if a GPU was requested, on the GPU."""
        if self.device == "gpu":
            return any(one.gpu and one.gpu.available for one in self.backends)
        return any(one.available for one in self.backends)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "backends": [one.to_json() for one in self.backends],
            "host": self.host.to_json(),
            "power": self.power.to_json(),
            "warnings": list(self.warnings),
        }

    def to_text(self) -> str:
        """Return engines, machine and warnings, one below the other."""
        lines = ["Engines"]
        for one in self.backends:
            lines += _engine(one)
        lines += ["", "Machine", *_machine(self.host, self.power)]
        if self.warnings:
            lines += ["", "Warnings"]
            lines += [line for text in self.warnings for line in _wrap(text, "  - ", "    ")]
        return "\n".join(lines)


def _engine(one: EngineState) -> Iterator[str]:
    where = f"  {one.device}" if one.device else ""
    yield f"  {one.status:9}{one.name:16}{one.version or '':9}{where}".rstrip()
    if one.problem:
        yield from _wrap(one.problem, _INDENT)
    if one.fix and one.needed:
        yield f"{_INDENT}fix: {one.fix}"
    if one.gpu and not one.gpu.available:
        yield from _wrap(f"no GPU: {one.gpu.reason}", _INDENT)


def _machine(host: Host, power: PowerState) -> Iterator[str]:
    rows = {
        "board": host.board or "",
        "processor": f"{host.cpu}, {host.architecture}, {_count(host.cores, 'core')}",
        "features": ", ".join(host.features) or "none reported",
        "memory": _memory(host),
        "system": f"{host.system}, kernel {host.kernel}",
        "python": f"{host.python}, {host.bits}-bit, {host.libc or 'no glibc'}, numpy {host.numpy}",
        "kind": host.virtual,
        "gpu": ", ".join(host.gpus) or "none found",
        "vulkan": ", ".join(host.vulkan),
        "power": ", ".join(_power(power)),
    }
    for name, value in rows.items():
        if value:
            yield from _wrap(value, f"  {name:11}", " " * 13)


def _memory(host: Host) -> str:
    pages = f"pages of {host.page_size // 1024} KB"
    if host.memory_mb is None:
        return pages
    free = f", {host.free_mb:,} free" if host.free_mb is not None else ""
    return f"{host.memory_mb:,} MB{free}; {pages}"


def _power(power: PowerState) -> Iterator[str]:
    if power.temperature_c is not None:
        yield f"{power.temperature_c:g} °C"
    if power.clock_mhz is not None:
        yield f"{power.clock_mhz:.0f} MHz"
    if power.governor:
        yield f"governor {power.governor}"
    if power.throttled is not None:
        words = throttle_words(power.throttled)
        yield f"{power.throttled:#x}: {', '.join(words)}" if words else "not throttled"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _wrap(text: str, first: str, rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
