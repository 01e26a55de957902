"""``toolkit verify``: prove that the model files answer as the Keras model does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.backends import AUTO, BackendOptions, registry
from runtime.console import Output, output_options
from runtime.errors import EXIT_CHECK_FAILED
from toolkit.commands._options import PATH, data_options, override_options

if TYPE_CHECKING:
    from toolkit.datasets import DataOptions
    from toolkit.parity import ArtifactParity, ParityReport
    from toolkit.subject import Overrides


@click.command()
@click.argument("artifacts", type=PATH, nargs=-1)
@click.option("--against", type=PATH, help="Run folder or .keras file [default: the latest run].")
@click.option(
    "--backend", default="auto", show_default=True, help=f"auto, all, {', '.join(registry())}."
)
@click.option("--device", default="cpu", show_default=True, help="cpu, gpu or auto.")
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--limit", type=int, help="Compare on the first N test images only.")
@data_options
@override_options
@output_options
def command(
    artifacts: tuple[Path, ...],
    against: Path | None,
    backend: str,
    device: str,
    threads: int,
    limit: int | None,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Compare ARTIFACTS with the Keras model on the test images, each in its real engine.

    Without ARTIFACTS: all files in exports/ of the run. Ends with exit code 1 if one
    of them answers differently by more than its format's budget.
    """
    from runtime.registry import pick
    from toolkit.commands._reporter import RichReporter
    from toolkit.subject import resolve
    from toolkit.verifying import ALL, VerifyOptions, verify

    if backend not in (AUTO, ALL):
        pick(registry(), "backend", backend)  # a mistyped name is told before Keras is loaded
    reporter = RichReporter(output)
    options = VerifyOptions(artifacts, backend, BackendOptions(device, threads), limit)
    subject = resolve(against, data, overrides, reporter)
    report = verify(subject, options, reporter)
    output.data(report.to_json(), table(report))
    if report.verdict != "pass":
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


def table(report: ParityReport) -> str:
    """Return the report as a table of at most 80 columns, with the reasons below it."""
    from rich.box import SIMPLE
    from rich.table import Table

    from toolkit.commands._reporter import render

    head = (
        f"Keras is right on {report.reference_accuracy:.2%} of {report.images:,} test images.\n"
        "Change is in points of accuracy; same is the share of images with Keras's label."
    )
    grid = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("format", "engine", "accuracy", "change", "same", "max diff", "verdict"):
        grid.add_column(heading, justify="left" if heading in ("format", "engine") else "right")
    for entry in report.artifacts:
        grid.add_row(*_cells(entry))
    reasons = [
        f"{Path(entry.path).name} on {entry.backend}: {reason}"
        for entry in report.artifacts
        for reason in entry.reasons
    ]
    return "\n".join([head, render(grid), *reasons, f"Verdict: {report.verdict}"])


def _cells(entry: ArtifactParity) -> list[str]:
    if entry.accuracy is None or entry.accuracy_delta is None or entry.agreement is None:
        return [entry.format, entry.backend, "", "", "", "", entry.verdict]
    return [
        entry.format,
        entry.backend,
        f"{entry.accuracy:.2%}",
        f"{entry.accuracy_delta * 100:+.2f}",
        f"{entry.agreement:.2%}",
        f"{entry.max_abs_error:.1e}",
        entry.verdict,
    ]
