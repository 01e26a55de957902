"""How long a call takes on this machine: measured in turns, not estimated."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np

from runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TAIL_SAMPLES = 64  # fewer say nothing about the slowest tenth
_TURNS, _LEAST_TURNS = 20, 3
_WARM_UP_CALLS, _WARM_UP_NS = 10, 100_000_000
_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one call takes.

    Attributes:
        median_ms: half of the calls were faster, in milliseconds.
        min_ms: the fastest call.
        p90_ms: nine of ten calls were faster; None with fewer than 64 samples.
        samples: how many calls were timed.
    """

    median_ms: float
    min_ms: float
    p90_ms: float | None
    samples: int

    @classmethod
    def of(cls, nanoseconds: Sequence[int]) -> Latency:
        """Sum up the durations of single calls.

        Raises:
            InputError: there are none.
        """
        if not nanoseconds:
            raise InputError("no call was timed; time at least one")
        times = np.asarray(nanoseconds, np.float64) / _NS_PER_MS
        tail = float(np.percentile(times, 90)) if len(times) >= TAIL_SAMPLES else None
        return cls(float(np.median(times)), float(times.min()), tail, len(times))


def measure_latency(run: Callable[[], object], seconds: float = 1.0) -> Latency:
    """Time one call, again and again; see :func:`measure_interleaved`."""
    return measure_interleaved((run,), seconds)[0]


def measure_interleaved(
    runs: Sequence[Callable[[], object]], seconds: float = 1.0
) -> tuple[Latency, ...]:
    """Time several things in turns, so that a slow moment of the machine hits them all.

    After a warm-up, each turn gives every run an equal slice of time. The first call of
    a slice is not counted, because the run before it emptied the caches; where that call
    alone fills the slice, caches do not matter and it counts.

    Args:
        runs: what to time; each call is one sample.
        seconds: to spend on each run. Three turns are always done, so that a call
            which takes longer than the whole time is timed three times.

    Returns:
        One latency a run, in the same order.

    Raises:
        InputError: nothing to time, or no time for it.
    """
    if not runs:
        raise InputError("nothing to measure: name at least one model file")
    if not 0.0 < seconds < float("inf"):
        raise InputError(f"the seconds of a measurement must be above 0, not {seconds:g}")
    with _no_garbage_collection():
        for run in runs:
            _warm_up(run)
        times = _take_turns(runs, int(seconds * 1e9))
    return tuple(Latency.of(found) for found in times)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep pauses out that are the measuring program's own: Keras fills the heap of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _warm_up(run: Callable[[], object]) -> None:
    """Let the engine pack its weights and the processor speed up."""
    end = perf_counter_ns() + _WARM_UP_NS
    for _ in range(_WARM_UP_CALLS):
        run()
        if perf_counter_ns() > end:
            break


def _take_turns(runs: Sequence[Callable[[], object]], nanoseconds: int) -> list[list[int]]:
    times: list[list[int]] = [[] for _ in runs]
    end = perf_counter_ns() + nanoseconds * len(runs)
    for turn in range(_TURNS):
        if turn >= _LEAST_TURNS and perf_counter_ns() > end:
            break
        for run, found in zip(runs, times, strict=True):
            _one_slice(run, nanoseconds // _TURNS, found)
    return times


def _one_slice(run: Callable[[], object], nanoseconds: int, found: list[int]) -> None:
    end = perf_counter_ns() + nanoseconds
    first = _time(run)
    if first >= nanoseconds:
        found.append(first)
        return
    found.append(_time(run))
    while perf_counter_ns() < end:
        found.append(_time(run))


def _time(run: Callable[[], object]) -> int:
    start = perf_counter_ns()
    run()
    return perf_counter_ns() - start
