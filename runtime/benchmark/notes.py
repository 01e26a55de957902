"""Remarks on a benchmark that a reader needs besides the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.benchmark.latency import P90_SAMPLES, P99_SAMPLES
from runtime.host import throttle_words

if TYPE_CHECKING:
    from runtime.backends import Backend
    from runtime.benchmark.result import BenchResult, Power

_FIX = "check power supply and cooling, and repeat it"
_DISTURBED = 1.3  # a mean of more than so many medians
_SLOWER = 0.9  # a clock that falls below this share of its first value is reported


def remarks(found: BenchResult, backend: Backend, *, percentiles: bool = True) -> tuple[str, ...]:
    """Return sentences on values that are unusual, missing or not comparable.

    Args:
        found: the result, without notes.
        backend: the engine that ran the file.
        percentiles: whether to report a missing percentile.

    Example::

        notes = remarks(result, classifier.backend)  # ("p99 needs 662 samples: raise --seconds",)
    """
    notes = [
        _emulated(found),
        *(f"tainted: {reason} during the run; {_FIX}" for reason in found.power.reasons),
        f"on the CPU, not on a GPU: {backend.fallback}" if backend.fallback else None,
        _throttled(found.power),
        _clock(found.power),
        _disturbed(found),
        _samples(found) if percentiles else None,
        _batches(found, backend),
        _cores(found),
    ]
    return tuple(note for note in notes if note)


def _emulated(found: BenchResult) -> str | None:
    if found.setting.host.virtual != "emulated":
        return None
    return "the processor is emulated: no number here is that of a real one"


def _throttled(power: Power) -> str | None:
    """Report throttling that began before the run: no flag rises then."""
    bits = (power.before.throttled or 0) | (power.after.throttled or 0)
    now = [word for word in throttle_words(bits) if word.endswith(" now")]
    return f"the machine was throttled: {', '.join(now)}; {_FIX}" if now else None


def _clock(power: Power) -> str | None:
    before, after = power.before.clock_mhz, power.after.clock_mhz
    if before is None or after is None or after >= _SLOWER * before:
        return None
    return (
        f"the clock fell from {before:.0f} to {after:.0f} MHz during the run (governor "
        f"{power.after.governor or 'unknown'})"
    )


def _disturbed(found: BenchResult) -> str | None:
    latency = found.timing.latency
    times = latency.mean_ms / latency.median_ms
    if times <= _DISTURBED:
        return None
    return f"something disturbed the timing: the mean is {times:.1f} medians; go by the median"


def _samples(found: BenchResult) -> str | None:
    latency = found.timing.latency
    if latency.p99_ms is not None:
        return None
    if latency.p90_ms is None:
        return f"p90 needs {P90_SAMPLES} samples, p99 {P99_SAMPLES}: raise --seconds"
    return f"p99 needs {P99_SAMPLES} samples: raise --seconds"


def _batches(found: BenchResult, backend: Backend) -> str | None:
    """Report a batch that the engine runs in several calls."""
    size = backend.input.shape[0]
    sizes = [rate.batch for rate in found.timing.throughput]
    sizes += [found.timing.batch] if found.timing.batch > 1 else []
    if size == -1 or all(one == size for one in sizes):
        return None
    return f"the file takes {size} image{'s' if size > 1 else ''} at a time: a batch is split"


def _cores(found: BenchResult) -> str | None:
    cores = found.setting.host.cores
    most = max([found.setting.threads, *(rate.threads for rate in found.timing.throughput)])
    return f"{most} threads share {cores} cores" if most > cores else None
