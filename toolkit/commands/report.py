"""``toolkit report``: one page that shows a model and its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.errors import InputError
from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import ENGINE, EXISTING, FILE, data_options, override_options

if TYPE_CHECKING:
    from toolkit.datasets import DataOptions
    from toolkit.trained_model import Overrides


@click.command()
@click.argument("model", type=EXISTING, required=False)
@click.option(
    "--backend",
    type=ENGINE,
    default="all",
    show_default=True,
    help="Engine, auto, or all installed.",
)
@click.option("--limit", type=int, help="Use only the first N test images.")
@click.option("--seconds", type=float, default=0.5, show_default=True, help="Timing a file.")
@click.option("--markdown", is_flag=True, help="Markdown instead, for a pull request.")
@click.option("--card", is_flag=True, help="A model card with YAML front matter instead.")
@click.option("--out", type=FILE, help="The file to write.  [default: in the run folder]")
@data_options
@override_options
@output_options
def command(
    model: Path | None,
    backend: str,
    limit: int | None,
    seconds: float,
    markdown: bool,
    card: bool,
    out: Path | None,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Write one self-contained HTML page about MODEL (a run folder or a .keras file).

    It compares all files in exports/ with the Keras model, times them here, and shows
    training, confusion matrices, verdicts, flipped images, and accuracy against latency.
    The page needs no network and no other file. Without MODEL: the latest run.
    """
    from toolkit import report
    from toolkit.commands._reporter import RichReporter
    from toolkit.engines import check_engine
    from toolkit.parity.verify import VerifyOptions, find_files
    from toolkit.recommend.measure import RecommendOptions
    from toolkit.trained_model import locate

    if markdown and card:
        raise click.UsageError("--markdown or --card, not both")
    check_engine(backend)
    kind = report.MARKDOWN if markdown else report.CARD if card else report.HTML
    asked = RecommendOptions(VerifyOptions(backend=backend, limit=limit), seconds=seconds)
    found = locate(model, data, overrides)
    path = out or found.path.parent / kind
    _require(path)
    find_files(found.exports, asked.verify)
    reporter = RichReporter(output)
    contents = report.gather(found.load(reporter), asked, reporter)
    report.write(contents, kind, path)
    output.data({"path": str(path), "verdict": contents.measured.parity.verdict}, str(path))


def _require(path: Path) -> None:
    """See that the page can be written before minutes of measuring.

    Raises:
        InputError: its folder is missing, or it is a folder itself.
    """
    if path.is_dir() or not path.parent.is_dir():
        reason = "is a folder" if path.is_dir() else "lies in a folder that does not exist"
        raise InputError(f"--out {path} {reason}")
