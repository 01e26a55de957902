"""``toolkit ensemble``: several runs as one model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.errors import EXIT_CHECK_FAILED
from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import EXISTING, FOLDER, FORMAT
from toolkit.runs.run import DEFAULT_PARENT

if TYPE_CHECKING:
    from runtime.modelfile.artifact import Artifact
    from toolkit.evaluation.ensemble import Ensemble
    from toolkit.evaluation.ensemble_cost import Cost
    from toolkit.parity import ParityReport


@click.command()
@click.argument("runs", type=EXISTING, nargs=-1, required=True)
@click.option(
    "--format", "formats", type=FORMAT, multiple=True, help="Export formats [default: all]."
)
@click.option("--limit", type=int, help="Verify on the first N test images only.")
@click.option("--seconds", type=float, default=1.0, show_default=True, help="Of timing a file.")
@click.option("--out", type=FOLDER, default=DEFAULT_PARENT, help="Folder of the new run.")
@output_options
def command(
    runs: tuple[Path, ...],
    formats: tuple[str, ...],
    limit: int | None,
    seconds: float,
    out: Path,
    output: Output,
) -> None:
    """Average the probabilities of RUNS into one model, export it, verify it, show its cost.

    The result is a run folder like any other, and one model file in each format. All RUNS
    must have the same data, labels and preprocessing.
    """
    from toolkit.benchmarking.bench import CompareOptions
    from toolkit.commands._reporter import RichReporter
    from toolkit.datasets import DataOptions
    from toolkit.evaluation import ensemble
    from toolkit.evaluation.ensemble_cost import measure
    from toolkit.export import export
    from toolkit.export.request import ExportOptions
    from toolkit.parity.verify import VerifyOptions, verify
    from toolkit.trained_model import resolve

    export.select(formats)
    timing = CompareOptions(seconds=seconds, peak=False)
    options = VerifyOptions(limit=limit, golden=True)  # which keeps the verdict in the files
    reporter = RichReporter(output)
    made = ensemble.make(runs, out, reporter)
    trained = resolve(made.run.path, DataOptions(), reporter=reporter)
    found = export.export(trained, ExportOptions(formats), reporter)
    files = tuple(one.artifact for one in found)
    report = verify(trained, options, reporter)
    cost = measure(files, made.best, reporter, timing)
    output.data(_record(made, files, report, cost), _text(made, report, cost))
    output.next(f"toolkit evaluate {shlex.quote(str(made.run.path))} --all")
    if report.verdict != "pass":
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


def _record(
    made: Ensemble, files: tuple[Artifact, ...], report: ParityReport, cost: Cost
) -> dict[str, Any]:
    return {
        "run": str(made.run.path),
        "model": str(made.run.model),
        "parameters": made.metrics["parameters"],
        "multiply_adds": made.metrics["multiply_adds"],
        "test_accuracy": made.metrics["test_accuracy"],
        "members": [member.to_json() for member in made.members],
        "artifacts": [str(file.path) for file in files],
        "cost": cost.to_json(),
        "parity": report.to_json(),
    }


def _text(made: Ensemble, report: ParityReport, cost: Cost) -> str:
    from rich.box import SIMPLE
    from rich.table import Table

    from toolkit.commands._parity_text import report_text
    from toolkit.commands._reporter import render, wrapped

    grid = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    grid.add_column("model", overflow="fold")
    for heading in ("accuracy", "parameters", "multiply-adds"):
        grid.add_column(heading, justify="right", no_wrap=True)
    rows = [(one.run.path.name, one.accuracy, one.to_json()) for one in made.members]
    rows.append((made.run.path.name, made.metrics["test_accuracy"], made.metrics))
    for name, accuracy, record in rows:
        sums = record["multiply_adds"]
        numbers = f"{record['parameters']:,}", "?" if sums is None else f"{sums:,}"
        grid.add_row(name, f"{accuracy:.2%}", *numbers)
    price = (
        f"{cost.format} on {cost.backend}, the ensemble and its best member:\n"
        f"  {cost.bytes:,} and {cost.member_bytes:,} bytes\n"
        f"  {cost.latency_ms:.3f} and {cost.member_latency_ms:.3f} ms an image, "
        f"{cost.ratio:.2f} times as long"
    )
    return f"{render(grid)}\n{wrapped(_gain(made))}\n\n{price}\n\n{report_text(report)}"


def _gain(made: Ensemble) -> str:
    """Say whether the members are better together."""
    points = 100 * (made.metrics["test_accuracy"] - made.best.accuracy)
    against = f"its best member, {made.best.run.path.name}"
    if points > 0:
        return f"The ensemble is {points:.2f} points better than {against}."
    worse = f"{-points:.2f} points worse than" if points else "no better than"
    return f"The ensemble is {worse} {against}: that one alone is the cheaper model."
