"""The machine that runs a model file: its hardware and system, and its current power state.

Nothing is imported before it is used: ``--backend auto`` needs the name of the processor only.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.host.facts import Host, host
    from runtime.host.power import PowerState, power_state
    from runtime.host.throttle import risen, throttle_words

__all__ = ["Host", "PowerState", "host", "power_state", "risen", "throttle_words"]

_HOMES = {
    "Host": "facts",
    "PowerState": "power",
    "host": "facts",
    "power_state": "power",
    "risen": "throttle",
    "throttle_words": "throttle",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'runtime.host' has no attribute '{name}'")
    return getattr(importlib.import_module(f"runtime.host.{_HOMES[name]}"), name)
