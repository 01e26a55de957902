"""The machine that runs a model file: what it is, and how warm and fast it is right now."""

from __future__ import annotations

from runtime.host.facts import Host, host
from runtime.host.power import PowerState, power_state
from runtime.host.throttle import risen, throttle_words

__all__ = ["Host", "PowerState", "host", "power_state", "risen", "throttle_words"]
