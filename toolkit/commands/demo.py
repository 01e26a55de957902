"""``toolkit demo``: the whole path on real digits, offline."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.errors import EXIT_CHECK_FAILED
from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import FOLDER

if TYPE_CHECKING:
    from runtime.modelfile.artifact import Artifact


@click.command()
@click.option(
    "--out", type=FOLDER, default=Path("runs"), show_default=True, help="Folder for runs."
)
@click.option("--epochs", type=int, default=12, show_default=True)
@output_options
def command(out: Path, epochs: int, output: Output) -> None:
    """Train on scikit-learn's digits, export every format, verify and time in every engine.

    The last thing written is a page about all of it, report.html in the run folder.
    """
    from toolkit.commands._parity_text import report_text
    from toolkit.commands._reporter import RichReporter
    from toolkit.demo import demo

    result = demo(out, RichReporter(output), epochs)
    record = result.parity.to_json()
    record |= {"run": str(result.training.run.path), "report": str(result.page)}
    output.data(record, f"{report_text(result.parity)}\n\nThe report: {result.page}")
    output.next(f"runtime predict {shlex.quote(str(_int8(result.artifacts)))} IMAGE")
    if result.parity.verdict != "pass":
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


def _int8(artifacts: tuple[Artifact, ...]) -> Path:
    return next(a.path for a in artifacts if a.path.name.endswith(".int8.tflite"))
