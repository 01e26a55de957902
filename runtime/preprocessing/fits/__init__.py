"""Fits: the ways to bring an image of another size to model size; a module here adds one."""

from __future__ import annotations

from functools import cache

from runtime.preprocessing.fits.base import POLARITIES, Fit
from runtime.registry import discover

__all__ = ["POLARITIES", "Fit", "fits"]


@cache
def fits() -> dict[str, type[Fit]]:
    """Return the classes by name, as ``--fit`` takes it.

    Example:
        >>> list(fits())
        ['stretch', 'pad', 'center-of-mass']
    """
    import runtime.preprocessing.fits as package

    return discover(package, Fit)  # type: ignore[type-abstract]
