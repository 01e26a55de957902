"""Meaning of the throttle bits of a Raspberry Pi.

Source: Raspberry Pi documentation, "vcgencmd", section "get_throttled".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.host.power import PowerState

_SINCE_BOOT = 16  # bit n + 16: the condition of bit n has occurred since the last boot
_FLAGS = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
}


def throttle_words(bits: int) -> tuple[str, ...]:
    """Return the conditions that ``vcgencmd get_throttled`` reports, in words.

    Args:
        bits: its output, for example 0x50005.

    Returns:
        One text per condition, with ``now`` or ``since boot``; empty if there was none.

    Example:
        >>> throttle_words(0x50005)
        ('under-voltage now', 'throttled now')
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

    A condition that occurred before the first reading, and again between the two, is not
    detected if it is over at the second one: its bit stays set since boot.

    Args:
        before: the first reading.
        after: the second one.

    Example:
        >>> from runtime.host.power import PowerState
        >>> risen(PowerState(throttled=0), PowerState(throttled=0x40000))
        ('throttled',)
    """
    new = (after.throttled or 0) & ~(before.throttled or 0)
    both = 1 | 1 << _SINCE_BOOT
    return tuple(name for bit, name in _FLAGS.items() if new & both << bit)
