"""A benchmark as text of at most 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from runtime.benchmark.result import CALL

if TYPE_CHECKING:
    from runtime.benchmark.latency import Latency
    from runtime.benchmark.result import BenchResult, Power

_WIDTH = 80
_LABEL = 13


def text(found: BenchResult) -> str:
    """Return a result as a table with remarks below it.

    Example::

        print(text(bench(Path("mnist-cnn.int8.tflite"), BenchOptions())))
    """
    lines = [
        *_head(found),
        *_times(found),
        *_throughput(found),
        *_work(found),
        _row("power", _power(found.power)),
        *_wrapped(f"Timed: {CALL}."),
        *(line for note in found.notes for line in _wrapped(f"Note: {note}")),
    ]
    return "\n".join(lines)


def _head(found: BenchResult) -> list[str]:
    setting = found.setting
    place = setting.device
    if setting.device == "gpu":
        place = f"gpu: {setting.accelerator}, {setting.precision}"
    threads = f"{setting.threads} thread{'s' if setting.threads > 1 else ''}"
    host = setting.host
    return [
        _row("file", f"{setting.path}"),
        _row("", f"{setting.format}, {setting.bytes:,} bytes, sha256 {setting.sha256[:12]}…"),
        _row("engine", f"{setting.backend} {setting.backend_version} ({place}), {threads}"),
        _row("machine", f"{host.cpu}, {host.cores} cores, {host.architecture}"),
    ]


def _times(found: BenchResult) -> list[str]:
    timing, fresh = found.timing, found.fresh
    names = ("min", "p50", "p90", "p99", "mean", "samples")
    rows = [_row("ms", "".join(f"{name:>10}" for name in names))]
    rows.append(_row("inference", _latency(timing.latency)))
    if timing.preprocess:
        rows.append(_row("preprocess", _latency(timing.preprocess)))
        rows += _wrapped(f"decode and fit {timing.picture}", " " * _LABEL)
    start = f"load {fresh.load_ms:.0f} ms, first prediction {fresh.first_ms:.1f} ms, "
    return [*rows, _row("fresh process", f" {start}peak memory {fresh.peak_rss_mb:.0f} MB")]


def _latency(latency: Latency) -> str:
    values = list(latency.to_json().values())
    cells = ["-" if value is None else f"{value:.3f}" for value in values[:-1]]
    return "".join(f"{cell:>10}" for cell in [*cells, f"{latency.samples:,}"])


def _throughput(found: BenchResult) -> list[str]:
    rates = found.timing.throughput
    if not rates:
        return []
    batches = list(dict.fromkeys(rate.batch for rate in rates))
    rows = [_row("images/s", "".join(f"{f'batch {size}':>12}" for size in batches))]
    for threads in dict.fromkeys(rate.threads for rate in rates):
        row = [rate.images_per_second for rate in rates if rate.threads == threads]
        label = f"{threads} thread{'s' if threads > 1 else ''}"
        rows.append(_row(label, "".join(f"{value:>12,.0f}" for value in row)))
    return rows


def _work(found: BenchResult) -> list[str]:
    if not found.setting.multiply_adds:
        return []
    million, rate = found.setting.multiply_adds / 1e6, (found.rate or 0.0) / 1e9
    return [_row("work", f"{million:.1f} M multiply-adds per image: {rate:.1f} G/s")]


def _power(power: Power) -> str:
    pairs = [
        ("°C", power.before.temperature_c, power.after.temperature_c),
        ("MHz", power.before.clock_mhz, power.after.clock_mhz),
    ]
    values = [
        f"{before:.0f} → {after:.0f} {unit}"
        for unit, before, after in pairs
        if before is not None and after is not None
    ]
    if power.after.governor:
        values.append(f"governor {power.after.governor}")
    if power.after.throttled is not None:
        values.append(_throttle(power))
    return ", ".join(values) or "this machine reports neither temperature, clock nor throttling"


def _throttle(power: Power) -> str:
    from runtime.host import throttle_words

    if power.reasons:
        return "tainted: a throttle flag rose"
    words = throttle_words(power.after.throttled or 0)
    return f"throttle flags: {', '.join(words)}" if words else "no throttle flag is set"


def _row(label: str, value: str) -> str:
    return f"{label:{_LABEL}}{value}".rstrip()


def _wrapped(sentence: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        sentence,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent or "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
