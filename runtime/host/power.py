"""How warm and how fast the machine is at this moment."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PowerState:
    """What decides at this moment how fast the machine can be.

    Attributes:
        temperature_c: of the processor, in degrees Celsius; None where nothing tells it.
        clock_mhz: of the first core; None where nothing tells it.
        governor: how the kernel chooses the clock, for example ``ondemand``.
        throttled: the bits of ``vcgencmd get_throttled``; None where there is none.
    """

    temperature_c: float | None = None
    clock_mhz: float | None = None
    governor: str | None = None
    throttled: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def power_state() -> PowerState:
    """Read the sensors of this machine."""
    return PowerState()
