"""Warnings about a machine that slows down or stops a model although its engines work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.doctor.wheels import bits_warning
from runtime.host import throttle_words

if TYPE_CHECKING:
    from runtime.host import Host, PowerState

_LEAST_FREE_MB = 200  # LiteRT with Python and numpy takes 60 to 120 MB
_HOT_C = 80.0  # a Raspberry Pi slows down from there on (documentation, "Frequency management")
_OWN_CLOCK = ("intel_pstate", "amd-pstate-epp")  # their governor "powersave" still follows the load
_FASTEST = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"


def cautions(host: Host, power: PowerState) -> tuple[str, ...]:
    """Return one sentence per warning, with what fixes it.

    Args:
        host: the machine.
        power: its current power state.

    Example:
        >>> from runtime.host import Host, PowerState
        >>> machine = Host(cpu="Cortex-A76", cores=4, architecture="aarch64")
        >>> cautions(machine, PowerState(temperature_c=85.0))
        ('the processor has 85 °C: cool it, or it slows down',)
    """
    found = [
        bits_warning(host),
        _emulated(host),
        _memory(host),
        _throttled(power),
        _hot(power),
        _governor(power),
    ]
    return tuple(text for text in found if text)


def _emulated(host: Host) -> str:
    if host.virtual != "emulated":
        return ""
    return "the processor is emulated: measurements say nothing about a real one"


def _memory(host: Host) -> str:
    if host.free_mb is None or host.free_mb >= _LEAST_FREE_MB:
        return ""
    return f"only {host.free_mb} MB of memory are free: stop other programs"


def _throttled(power: PowerState) -> str:
    words = throttle_words(power.throttled or 0)
    if not words:
        return ""
    advice = []
    if any("voltage" in word for word in words):
        advice.append("use the board's own power supply")
    if any("voltage" not in word for word in words):
        advice.append("cool the board")
    return f"the board slowed down ({', '.join(words)}): {' and '.join(advice)}, then restart it"


def _hot(power: PowerState) -> str:
    if power.temperature_c is None or power.temperature_c < _HOT_C:
        return ""
    return f"the processor has {power.temperature_c:g} °C: cool it, or it slows down"


def _governor(power: PowerState) -> str:
    if power.governor != "powersave" or power.driver in _OWN_CLOCK:
        return ""
    return f"the governor powersave keeps the clock low: {_FASTEST}"
