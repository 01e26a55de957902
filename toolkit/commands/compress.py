"""``toolkit compress``: a smaller network that answers as the trained one does."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import EXISTING, FOLDER, data_options, override_options

if TYPE_CHECKING:
    from runtime.modelfile.artifact import Artifact
    from toolkit.compression import Compression
    from toolkit.datasets import DataOptions
    from toolkit.progress import Reporter
    from toolkit.trained_model import Overrides


@click.command()
@click.argument("model", type=EXISTING, required=False)
@click.option(
    "--target-speedup",
    type=float,
    help="How much faster its int8 file must be, measured here.  [default: 8]",
)
@click.option(
    "--target-shrink",
    type=float,
    default=1.0,
    show_default=True,
    help="How many times smaller its int8 file must be.",
)
@click.option(
    "--max-drop",
    type=float,
    help="Most points of accuracy to lose on the validation images; without a target, "
    "speed-ups of 16, 8, 4 and 2 are tried in turn.",
)
@click.option("--epochs", type=int, default=60, show_default=True, help="Of distillation.")
@click.option("--batch-size", type=int, default=128, show_default=True)
@click.option("--learning-rate", type=float, default=0.002, show_default=True)
@click.option(
    "--copies", type=int, default=8, show_default=True, help="Moved copies of each image."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--out", type=FOLDER, default=Path("runs"), show_default=True, help="Folder for runs."
)
@data_options
@override_options
@output_options
def command(
    model: Path | None,
    out: Path,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
    **options: Any,
) -> None:
    """Make a smaller network out of MODEL (a run folder or a .keras file).

    Channels that matter least are removed until the int8 file is as fast as asked; then
    the small network learns from the answers of the large one on its training images and
    on moved copies of them. The result is a run folder like any other, with its int8 file.
    Without MODEL, the latest run is taken.
    """
    from toolkit.commands._reporter import RichReporter
    from toolkit.compression import CompressOptions, Compressor
    from toolkit.trained_model import locate
    from toolkit.training.train import TrainingInterruptedError

    chosen = CompressOptions(**options)
    teacher = locate(model, data, overrides)
    reporter = RichReporter(output)
    try:
        found = Compressor(teacher.load(reporter), chosen, reporter).compress(out)
    except TrainingInterruptedError:
        raise KeyboardInterrupt("interrupted; nothing is kept") from None
    _show(found, _exported(found, reporter), output)


def _exported(found: Compression, reporter: Reporter) -> Artifact:
    """Write the int8 file; where that fails, the network that took an hour is named."""
    from runtime.errors import EdgeError
    from toolkit.compression import TIMED_FORMAT
    from toolkit.datasets import DataOptions
    from toolkit.export.export import export
    from toolkit.export.request import ExportOptions
    from toolkit.parity.words import keras_warning
    from toolkit.trained_model import resolve

    try:
        student = resolve(found.run.path, DataOptions(), reporter=reporter)
        (made,) = export(student, ExportOptions((TIMED_FORMAT,)), reporter)
        file = made.artifact
    except EdgeError:
        reporter.say(f"The small network is kept in {found.run.path}; its export failed:")
        raise
    if warning := keras_warning(file):
        reporter.say(f"Warning: {warning}")
    return file


def _show(found: Compression, file: Artifact, output: Output) -> None:
    from toolkit.commands._reporter import wrapped

    record, path = found.record, found.run.path
    low, high = (100 * value for value in record["accuracy_interval"])
    change = 100 * (record["accuracy"] - record["teacher_accuracy"])
    text = (
        f"int8 file {record['speedup']:.1f} times as fast (measured here), {record['bytes']:,} "
        f"bytes; {record['parameters']:,} parameters, the teacher has "
        f"{record['teacher_parameters']:,}.\n"
        f"Test accuracy {record['accuracy']:.2%}, teacher {record['teacher_accuracy']:.2%}: "
        f"{change:+.2f} points (95 % interval {low:+.2f} to {high:+.2f}, McNemar "
        f"p {record['mcnemar_p']:.2g}, {record['test_images']:,} images).\n"
        f"Run folder: {path}\n{file.path}"
    )
    made = {"run": str(path), "model": str(found.run.model), "artifacts": [str(file.path)]}
    output.data(made | record, wrapped(text))
    output.next(f"toolkit verify --against {shlex.quote(str(path))}")
