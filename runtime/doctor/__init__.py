"""Tells which engines run on this machine, what is wrong with the others, and what mends it."""

from __future__ import annotations

from runtime.doctor.engine import BROKEN, MISSING, WORKS, EngineState, Gpu
from runtime.doctor.examine import DoctorOptions, examine
from runtime.doctor.report import DoctorReport

__all__ = [
    "BROKEN",
    "MISSING",
    "WORKS",
    "DoctorOptions",
    "DoctorReport",
    "EngineState",
    "Gpu",
    "examine",
]
