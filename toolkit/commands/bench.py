"""``toolkit bench``: model files side by side on this machine."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.backends import AUTO, BackendOptions
from runtime.commands._options import DEVICE, constant, gpu_options
from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import ENGINE, EXISTING
from toolkit.commands._short_names import short_names
from toolkit.engines import check_engine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.benchmarking.bench import Compared, Comparison
    from toolkit.benchmarking.scenarios import ScenarioResult

_SCENARIO = constant("toolkit.benchmarking.scenarios", "KNOWN")


@click.command()
@click.argument("artifacts", type=EXISTING, nargs=-1)
@click.option(
    "--backend", type=ENGINE, default=AUTO, show_default=True, help="auto, all, or an engine."
)
@click.option("--device", type=DEVICE, default="cpu", show_default=True, help="cpu, gpu or auto.")
@gpu_options
@click.option("--threads", type=int, default=1, show_default=True, help="Of one inference.")
@click.option("--baseline", type=EXISTING, help="Compare with this file [default: first float32].")
@click.option("--seconds", type=float, default=1.0, show_default=True, help="For each file.")
@click.option(
    "--scenario", type=_SCENARIO, help="As MLPerf: single-stream, multi-stream or offline."
)
@click.option("--batch", type=int, help="Images per query of offline [default: 32].")
@click.option("--peak/--no-peak", default=True, help="Measure the peak of one core too.")
@output_options
def command(
    artifacts: tuple[Path, ...],
    backend: str,
    device: str,
    threads: int,
    precision: str,
    providers: tuple[str, ...],
    baseline: Path | None,
    seconds: float,
    scenario: str | None,
    batch: int | None,
    peak: bool,
    output: Output,
) -> None:
    """Time ARTIFACTS side by side on this machine: model files, or run folders.

    Without ARTIFACTS: the exports of the latest run. All run in turns in one process, one
    image at a time (quantize, infer, dequantize), so that a slow moment of the machine
    affects them all; each is compared with the baseline turn by turn, which gives the ratio and its
    95 % interval. Memory is the peak of a fresh process.

    The share of the peak compares a model's multiply-adds with what a core of this machine
    reaches on convolutions built for this measurement.

    A scenario sends one kind of query: one image (p90), eight (p99), or --batch of them
    (images per second). It is not an MLPerf result.
    """
    from toolkit.benchmarking.bench import CompareOptions, compare_speed
    from toolkit.commands._reporter import RichReporter

    check_engine(backend)
    engine = BackendOptions(device, threads, precision, providers)
    options = CompareOptions(artifacts, backend, engine, baseline, seconds, peak, scenario, batch)
    found = compare_speed(options, RichReporter(output))
    output.data(found.to_json(), table(found))
    if output.as_json:
        for reason in found.refused:
            output.say(f"Refused: {reason}")
    fastest = min(found.entries, key=lambda entry: entry.ratio).result.setting
    output.next(f"runtime bench {shlex.quote(fastest.path)} --backend {fastest.backend}")


def table(found: Comparison) -> str:
    """Return the comparison as a table of at most 80 columns, with remarks below it."""
    from rich.box import SIMPLE
    from rich.table import Table

    from toolkit.benchmarking.bench import METHOD
    from toolkit.commands._reporter import render, wrap, wrapped

    grid = Table(box=SIMPLE, padding=0, pad_edge=False)
    headings = ("file", "engine", "p50 ms", "p90", "ratio", "95 %", "memory")
    for heading in (*headings, "peak") if found.peaks else headings:
        is_text = heading in ("file", "engine")
        grid.add_column(heading, justify="left" if is_text else "right", overflow="fold")
    names = _names(found)
    for entry, name in zip(found.entries, names, strict=True):
        grid.add_row(name, *_cells(entry)[: len(grid.columns) - 1])
    host = found.entries[0].result.setting.host
    head = wrapped(f"Measured on {host.cpu} ({host.cores} cores, {host.architecture}).")
    share = "Peak is the share of it that a file reaches. " if found.peaks else ""
    texts = [*_scenario(found, names), *_peaks(found), f"{share}{METHOD}."]
    texts += [f"Refused: {reason}" for reason in found.refused]
    texts += [f"Note: {note}" for note in _notes(found)]
    return "\n".join([head, render(grid), *(line for text in texts for line in wrap(text))])


def _cells(entry: Compared) -> list[str]:
    setting, latency = entry.result.setting, entry.result.timing.latency
    share, interval = entry.share, entry.interval
    ratio = "baseline" if entry.is_baseline else f"{entry.ratio:.3f}"
    return [
        setting.backend,
        f"{latency.median_ms:.3f}",
        "-" if latency.p90_ms is None else f"{latency.p90_ms:.3f}",
        ratio,
        "" if interval is None else f"{interval[0]:.3f}…{interval[1]:.3f}",
        f"{entry.result.fresh.peak_rss_mb:.0f} MB",
        "" if share is None else f"{share:.0%}",
    ]


def _names(found: Comparison) -> list[str]:
    settings = [entry.result.setting for entry in found.entries]
    return short_names((setting.format, setting.path) for setting in settings)


def _scenario(found: Comparison, names: Sequence[str]) -> list[str]:
    """Return what a scenario reports of each file, and where it departs from MLPerf."""
    rows = [
        f"{name} on {entry.result.setting.backend}: {_reported(entry.scenario)}"
        for entry, name in zip(found.entries, names, strict=True)
        if entry.scenario
    ]
    first = found.entries[0].scenario
    if first is None:
        return rows
    head = f"Scenario {first.scenario.name}, {first.samples} per query; the times are per query."
    return [head, *rows, f"{'; '.join(first.to_json()['departs_from_mlperf'])}."]


def _reported(result: ScenarioResult) -> str:
    unit = " ms" if result.scenario.metric.endswith("_ms") else ""
    metric = result.scenario.metric.removesuffix("_ms").replace("_", " ")
    if result.value is None:
        value = f"{metric} too few queries"
    else:
        value = f"{metric} {result.value:,.4g}{unit}"
    rate = f"{result.images_per_second:,.0f} images per second"
    return value if metric == "images per second" else f"{value}, {rate}"


def _peaks(found: Comparison) -> list[str]:
    best = found.peaks.best if found.peaks else ()
    return [
        f"Peak of one core in {peak.kind}: {peak.multiply_adds_per_second / 1e9:.1f} G "
        f"multiply-adds/s, by {peak.engine}."
        for peak in best
    ]


def _notes(found: Comparison) -> list[str]:
    """Return each note once, with the files that it concerns."""
    files: dict[str, list[str]] = {}
    for entry, name in zip(found.entries, _names(found), strict=True):
        for note in entry.result.notes:
            files.setdefault(note, []).append(name)
    return [f"{', '.join(dict.fromkeys(names))}: {note}" for note, names in files.items()]
