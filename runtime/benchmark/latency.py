"""Latency of calls on this machine, measured in turns."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from time import perf_counter_ns
from typing import TYPE_CHECKING

import numpy as np

from runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

# Samples below which a percentile is not reported. MLPerf's LoadGen (github.com/mlcommons/
# inference, loadgen/early_stopping.cc) requires as many queries for that percentile: the
# fewest whose second slowest is, with 99 % confidence, above the true percentile.
P90_SAMPLES, P99_SAMPLES = 64, 662
_TURNS, _LEAST_TURNS = 20, 3
_WARM_UP_CALLS, _WARM_UP_NS = 10, 100_000_000
_NS_PER_MS = 1e6

Turns = tuple[tuple[int, ...], ...]  # the durations in nanoseconds, turn by turn


@dataclass(frozen=True, slots=True)
class Latency:
    """Duration of one call.

    Attributes:
        median_ms: half of the calls were faster, in milliseconds.
        min_ms: the fastest call.
        p90_ms: nine of ten calls were faster; None with fewer than 64 samples.
        p99_ms: 99 of 100 calls were faster; None with fewer than 662 samples.
        mean_ms: the average.
        samples: number of timed calls.

    Example:
        >>> latency = Latency.of([1_000_000, 2_000_000, 6_000_000])
        >>> latency.median_ms, latency.mean_ms, latency.p90_ms
        (2.0, 3.0, None)
    """

    median_ms: float
    min_ms: float
    p90_ms: float | None
    p99_ms: float | None
    mean_ms: float
    samples: int

    @classmethod
    def of(cls, nanoseconds: Sequence[int]) -> Latency:
        """Summarize the durations of single calls.

        Raises:
            InputError: there are none.
        """
        if not nanoseconds:
            raise InputError("no call was timed; time at least one")
        times = np.asarray(nanoseconds, np.float64) / _NS_PER_MS
        return cls(
            float(np.median(times)),
            float(times.min()),
            _percentile(times, 90, P90_SAMPLES),
            _percentile(times, 99, P99_SAMPLES),
            float(times.mean()),
            len(times),
        )

    def to_json(self) -> dict[str, float | int | None]:
        """Return plain JSON values: ``min``, ``p50``, ``p90``, ``p99``, ``mean``, ``samples``."""
        return {
            "min": round(self.min_ms, 4),
            "p50": round(self.median_ms, 4),
            "p90": None if self.p90_ms is None else round(self.p90_ms, 4),
            "p99": None if self.p99_ms is None else round(self.p99_ms, 4),
            "mean": round(self.mean_ms, 4),
            "samples": self.samples,
        }


def _percentile(times: NDArray[np.float64], percent: int, needed: int) -> float | None:
    return float(np.percentile(times, percent)) if len(times) >= needed else None


def measure_latency(run: Callable[[], object], seconds: float = 1.0) -> Latency:
    """Time one call repeatedly; see :func:`measure_interleaved`.

    Example:
        >>> measure_latency(lambda: sum(range(1000)), seconds=0.01).samples >= 3
        True
    """
    return measure_interleaved((run,), seconds)[0]


def measure_interleaved(
    runs: Sequence[Callable[[], object]], seconds: float = 1.0
) -> tuple[Latency, ...]:
    """Time several calls in turns; see :func:`measure_turns`.

    Returns:
        One latency per call, in the same order.

    Raises:
        InputError: nothing to time, or no time for it.

    Example:
        >>> short, long = (lambda: sum(range(100))), (lambda: sum(range(100_000)))
        >>> fast, slow = measure_interleaved((short, long), seconds=0.02)
        >>> fast.median_ms < slow.median_ms
        True
    """
    return tuple(summary(turns) for turns in measure_turns(runs, seconds))


def summary(turns: Turns) -> Latency:
    """Return the latency over all turns of one call.

    Example:
        >>> summary(((1_000_000, 2_000_000), (6_000_000,))).samples
        3
    """
    return Latency.of(tuple(chain.from_iterable(turns)))


def measure_turns(runs: Sequence[Callable[[], object]], seconds: float = 1.0) -> tuple[Turns, ...]:
    """Time several calls in turns, so that a slow moment of the machine affects all of them.

    After a warm-up, each turn has an equal slice of time for every function. The first call
    of a slice is not counted, because the function before it has filled the caches; if that
    call alone takes the whole slice, caches do not matter and it counts.

    Args:
        runs: the functions; each call is one sample.
        seconds: per function. There are at least three turns, so that a call which takes
            longer than the whole time is timed three times.

    Returns:
        For each function, in the same order, its turns; all have equally many.

    Raises:
        InputError: nothing to time, or no time for it.

    Example:
        >>> first, second = measure_turns((dict, list), seconds=0.01)
        >>> len(first) == len(second) >= 3
        True
    """
    if not runs:
        raise InputError("nothing to measure: name at least one model file")
    nanoseconds = _nanoseconds(seconds)
    with _no_garbage_collection():
        for run in runs:
            _warm_up(run)
        return _take_turns(runs, nanoseconds)


def repeat(run: Callable[[], object], seconds: float) -> tuple[int, ...]:
    """Call a function repeatedly, after a warm-up, and time every call.

    Args:
        run: the function.
        seconds: of timing; there is at least one call.

    Returns:
        The duration of each call in nanoseconds.

    Raises:
        InputError: no time for it.

    Example:
        >>> min(repeat(lambda: sum(range(1000)), seconds=0.01)) > 0
        True
    """
    nanoseconds = _nanoseconds(seconds)
    found: list[int] = []
    with _no_garbage_collection():
        _warm_up(run)
        end = perf_counter_ns() + nanoseconds
        while not found or perf_counter_ns() < end:
            found.append(_time(run))
    return tuple(found)


def _nanoseconds(seconds: float) -> int:
    if not 0.0 < seconds < float("inf"):
        raise InputError(f"the seconds of a measurement must be above 0, not {seconds:g}")
    return int(seconds * 1e9)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Avoid pauses of the measuring program itself, whose heap is large with Keras."""
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


def _take_turns(runs: Sequence[Callable[[], object]], nanoseconds: int) -> tuple[Turns, ...]:
    times: list[list[tuple[int, ...]]] = [[] for _ in runs]
    end = perf_counter_ns() + nanoseconds * len(runs)
    for turn in range(_TURNS):
        if turn >= _LEAST_TURNS and perf_counter_ns() > end:
            break
        places = range(len(runs))
        # alternating order, so that a machine that becomes slower or faster favours none
        for place in places if turn % 2 == 0 else reversed(places):
            times[place].append(_one_slice(runs[place], nanoseconds // _TURNS))
    return tuple(map(tuple, times))


def _one_slice(run: Callable[[], object], nanoseconds: int) -> tuple[int, ...]:
    end = perf_counter_ns() + nanoseconds
    first = _time(run)
    if first >= nanoseconds:
        return (first,)
    found = [_time(run)]
    while perf_counter_ns() < end:
        found.append(_time(run))
    return tuple(found)


def _time(run: Callable[[], object]) -> int:
    start = perf_counter_ns()
    run()
    return perf_counter_ns() - start
