"""Current temperature, clock and throttling of the machine."""

from __future__ import annotations

import logging
import shutil
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runtime.proc import ROOT, colon_fields, text_of

_VCGENCMD_SECONDS = 2.0
_CPU_ZONES = ("cpu", "soc", "x86_pkg_temp", "k10temp", "coretemp")  # sensors of the processor
_LOG = logging.getLogger("runtime")


@dataclass(frozen=True, slots=True)
class PowerState:
    """Current state of what limits the speed of the machine.

    Attributes:
        temperature_c: temperature of the processor in degrees Celsius; None if unknown.
        clock_mhz: clock of the first core in MHz; None if unknown.
        governor: how the kernel chooses the clock, for example ``ondemand``.
        driver: the driver that sets the clock, for example ``cpufreq-dt``; with
            ``intel_pstate`` and ``amd-pstate-epp`` the governor ``powersave`` does not keep
            it low.
        throttled: the bits of ``vcgencmd get_throttled``; None if there is no such command.

    Example:
        >>> PowerState(temperature_c=48.5, throttled=0x50005).to_json()["throttled"]
        327685
    """

    temperature_c: float | None = None
    clock_mhz: float | None = None
    governor: str | None = None
    driver: str | None = None
    throttled: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def power_state(root: Path = ROOT) -> PowerState:
    """Read the sensors of a machine.

    Args:
        root: folder that contains ``proc``, ``sys`` and ``usr/bin/vcgencmd``.

    Example:
        >>> power_state(Path("no-such-root"))
        PowerState(temperature_c=None, clock_mhz=None, governor=None, driver=None, throttled=None)
    """
    clock = root / "sys/devices/system/cpu/cpu0/cpufreq"
    return PowerState(
        temperature_c=_temperature(root),
        clock_mhz=_clock(root, clock),
        governor=text_of(clock / "scaling_governor") or None,
        driver=text_of(clock / "scaling_driver") or None,
        throttled=_throttled(root),
    )


def _temperature(root: Path) -> float | None:
    """Return the highest value of the processor's sensors."""
    zones = root.glob("sys/class/thermal/thermal_zone*")
    sensors = [(text_of(zone / "type"), text_of(zone / "temp")) for zone in zones]
    chips = root.glob("sys/class/hwmon/hwmon*")
    sensors += [(text_of(chip / "name"), text_of(chip / "temp1_input")) for chip in chips]
    values = [
        float(value) / 1000
        for name, value in sensors
        if value.lstrip("-").isdigit() and any(word in name.lower() for word in _CPU_ZONES)
    ]
    return round(max(values), 1) if values else None


def _clock(root: Path, folder: Path) -> float | None:
    kilohertz = text_of(folder / "scaling_cur_freq")
    if kilohertz.isdigit():
        return round(int(kilohertz) / 1000, 1)
    with suppress(KeyError, ValueError):
        return round(float(colon_fields(text_of(root / "proc/cpuinfo"))["cpu MHz"]), 1)
    return None


def _throttled(root: Path) -> int | None:
    """Query the firmware; older kernels have its reply as a file, too."""
    files = root.glob("sys/devices/platform/soc*/*firmware/get_throttled")
    for reply in (_vcgencmd(root), *map(text_of, files)):
        with suppress(ValueError):
            return int(reply.rpartition("=")[2], 16)
    return None


def _vcgencmd(root: Path) -> str:
    """Return the output of vcgencmd, like ``throttled=0x0``; empty if it is missing or fails."""
    command = shutil.which("vcgencmd", path=str(root / "usr/bin"))
    if command is None:
        return ""
    try:
        completed = subprocess.run(  # noqa: S603 - a program of Raspberry Pi OS, no shell
            [command, "get_throttled"],
            check=True,
            capture_output=True,
            text=True,
            timeout=_VCGENCMD_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        _LOG.debug("%s get_throttled: %s", command, error)
        return ""
    return completed.stdout.strip()
