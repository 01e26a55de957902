"""``toolkit recommend``: which of the model files to take to a device."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.backends import AUTO
from runtime.errors import EXIT_CHECK_FAILED, InputError
from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import (
    EXISTING,
    ArtifactChoice,
    artifact_options,
    data_options,
    override_options,
)
from toolkit.commands._short_names import short_names

if TYPE_CHECKING:
    from toolkit.datasets import DataOptions
    from toolkit.recommend.choice import Measured
    from toolkit.recommend.measure import Recommendation
    from toolkit.trained_model import Overrides

_UNITS = {"kib": 1024, "mib": 1024**2, "kb": 10**3, "mb": 10**6, "gb": 10**9, "b": 1, "": 1}


@click.command()
@artifact_options
@click.option("--max-drop", type=float, help="Points of accuracy that may be lost, like 0.1.")
@click.option("--max-size", help="Largest file: 900000 (bytes), 900KB or 1.5MB.")
@click.option(
    "--config", type=EXISTING, help="TOML with the limits of the gate; see toolkit verify."
)
@data_options
@override_options
@output_options
def command(
    choice: ArtifactChoice,
    max_drop: float | None,
    max_size: str | None,
    config: Path | None,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Measure ARTIFACTS on this machine and recommend one of them.

    Without ARTIFACTS: all files in exports/ of the run. Each is compared with Keras on the
    test images and timed (median, one thread, one image, in turns with the others); its
    memory is the peak of a fresh process that loads it and predicts once.

    The rule: what fails the parity gate, --max-drop or --max-size is out. Of the rest the
    fastest is recommended; of those within 10 % of the fastest, the smallest; of equally
    small ones, the one that takes the least memory. On the Pareto front are those to which
    no other is preferable in accuracy, agreement with Keras, latency, size and memory at
    once. Ends with exit code 1 if nothing passes.
    """
    from toolkit.commands._reporter import RichReporter
    from toolkit.parity.budgets import load_budgets
    from toolkit.parity.verify import VerifyOptions, find_files
    from toolkit.recommend.choice import Limits
    from toolkit.recommend.explanation import remedy
    from toolkit.recommend.measure import RecommendOptions, recommend
    from toolkit.trained_model import locate

    limits = Limits(max_drop, parse_size(max_size) if max_size is not None else None)
    budgets = load_budgets({}, config)
    asked = VerifyOptions(choice.paths, choice.backend, choice.engine, choice.limit, budgets)
    model = locate(choice.against, data, overrides)
    find_files(model.exports, asked)
    reporter = RichReporter(output)
    trained = model.load(reporter)
    found = recommend(trained, RecommendOptions(asked, limits), reporter)
    output.data(found.to_json(), table(found))
    if found.chosen:
        where = "" if choice.backend == AUTO else f" --backend {found.chosen.parity.backend}"
        where += "" if choice.engine.device == "cpu" else f" --device {choice.engine.device}"
        output.next(f"runtime predict {shlex.quote(found.chosen.parity.path)} IMAGE{where}")
        return
    name = " ".join(trained.as_arguments()) if choice.against else ""
    output.next(remedy(found.entries, limits, name, _typed(choice, config)))
    raise click.exceptions.Exit(EXIT_CHECK_FAILED)


def _typed(choice: ArtifactChoice, config: Path | None) -> list[str]:
    """Return what was typed besides model, engine and limits."""
    words = [shlex.quote(str(path)) for path in choice.paths]
    words += [f"--limit {choice.limit}"] if choice.limit else []
    words += [f"--device {choice.engine.device}"] if choice.engine.device != "cpu" else []
    return words + ([f"--config {shlex.quote(str(config))}"] if config else [])


def parse_size(text: str) -> int:
    """Read a file size: ``900000``, ``900KB``, ``1.5MB``; KB is 1,000 bytes, KiB 1,024.

    Raises:
        InputError: it is none.
    """
    plain = text.strip().lower()
    unit = next(unit for unit in _UNITS if plain.endswith(unit))
    number = plain.removesuffix(unit).strip()
    if not number.replace(".", "", 1).isdecimal():
        raise InputError(f"--max-size takes bytes, or a size like 900KB or 1.5MB, not '{text}'")
    return int(float(number) * _UNITS[unit])


def table(found: Recommendation) -> str:
    """Return the measurements as a table of at most 80 columns, and the choice below it."""
    from rich.box import SIMPLE
    from rich.table import Table

    from toolkit.commands._reporter import render, wrap, wrapped

    host = found.machine
    head = wrapped(
        f"Measured on {host.cpu} ({host.cores} cores, {host.architecture}); "
        f"Keras is right on {found.reference_accuracy:.2%} of {found.images:,} images.\n"
        "Change is in points of accuracy; same is the share of images with Keras's label."
    )
    grid = Table(box=SIMPLE, padding=0, pad_edge=False)
    for heading in ("  file", "engine", "change", "same", "ms", "size", "memory", "choice"):
        words = heading in ("  file", "engine", "choice")
        grid.add_column(heading, justify="left" if words else "right", overflow="fold")
    names = short_names((entry.parity.format, entry.parity.path) for entry in found.entries)
    for entry, name in zip(found.entries, names, strict=True):
        grid.add_row(*_cells(entry, name, chosen=entry is found.chosen))
    reasons = [
        f"{name} on {entry.parity.backend}: {reason}"
        for entry, name in zip(found.entries, names, strict=True)
        for reason in entry.excluded
    ]
    remarks = [f"Note: {note}" for note in found.notes]
    label = "Recommended" if found.chosen else "Nothing to recommend"
    texts = (*reasons, *remarks, f"{label}: {found.why}")
    return "\n".join([head, render(grid), *(line for text in texts for line in wrap(text))])


def _cells(entry: Measured, name: str, *, chosen: bool) -> list[str]:
    from toolkit.recommend.explanation import ms_text, size_text

    choice = "chosen" if chosen else "out" if entry.excluded else "front" if entry.pareto else ""
    delta, same = entry.parity.accuracy_delta, entry.parity.agreement
    latency, memory = entry.latency_ms, entry.peak_memory_mb
    return [
        f"{'→' if chosen else ' '} {name}",
        entry.parity.backend,
        "" if delta is None else f"{delta * 100:+.2f}",
        "" if same is None else f"{same:.2%}",
        "" if latency is None else ms_text(latency),
        size_text(entry.size),
        "" if memory is None else f"{memory:.0f} MB",
        choice,
    ]
