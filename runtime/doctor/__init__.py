"""Diagnosis of the engines on this machine: which ones run, and the command that fixes others."""

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
