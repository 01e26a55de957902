"""What the throttle bits of a Raspberry Pi mean.

Source: Raspberry Pi documentation, "vcgencmd", section "get_throttled".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.host.power import PowerState

_SINCE_BOOT = 16  # bit n + 16: what bit n tells has occurred since the last start
_FLAGS = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
}


def throttle_words(bits: int) -> tuple[str, ...]:
    """Return what ``vcgencmd get_throttled`` tells, in words.

    Args:
        bits: its number, for example 0x50005.

    Returns:
        One text a condition, with ``now`` or ``since boot``; empty where there was none.
    """
    now = [f"{name} now" for bit, name in _FLAGS.items() if bits >> bit & 1]
    since = [
        f"{name} since boot"
        for bit, name in _FLAGS.items()
        if bits >> (bit + _SINCE_BOOT) & 1 and not bits >> bit & 1
    ]
    return (*now, *since)


def risen(before: PowerState, after: PowerState) -> tuple[str, ...]:
    """Return the conditions that began between two readings, in words.

    A condition that had occurred before the first reading, came again and was over before
    the second cannot be told: its bit stays set since boot.

    Args:
        before: the first reading.
        after: the second one.
    """
    rose = (after.throttled or 0) & ~(before.throttled or 0)
    both = 1 | 1 << _SINCE_BOOT
    return tuple(name for bit, name in _FLAGS.items() if rose & both << bit)
