"""Benchmarks of a model file on this machine."""

from __future__ import annotations

from runtime.benchmark.latency import (
    Latency,
    Turns,
    measure_interleaved,
    measure_latency,
    measure_turns,
    summary,
)

__all__ = [
    "Latency",
    "Turns",
    "measure_interleaved",
    "measure_latency",
    "measure_turns",
    "summary",
]
