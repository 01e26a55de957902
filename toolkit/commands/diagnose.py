"""``toolkit diagnose``: which layer of a model file is at fault, and why."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import EXISTING, FILE, data_options, override_options

if TYPE_CHECKING:
    from toolkit.datasets import DataOptions
    from toolkit.diagnosis import LayerDiagnosis
    from toolkit.diagnosis.file import FileDiagnosis
    from toolkit.trained_model import Overrides

_HEAD = (
    "Signal to noise in dB against the float layer: 'alone' is what the layer itself\n"
    "adds (worst first), 'in file' with the noise of all layers before it."
)
_NUMBERS = {"alone": 5, "in file": 7, "cosine": 6, "range": 5, "clipped": 7}  # widths


@click.command()
@click.argument("model", type=EXISTING)
@click.option(
    "--against", type=EXISTING, help="Run folder or .keras file [default: the latest run]."
)
@click.option("--images", type=int, default=128, show_default=True, help="Training images to run.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the draw of images.")
@click.option("--plot", type=FILE, help="Draw the layers into a PNG file.")
@data_options
@override_options
@output_options
def command(
    model: Path,
    against: Path | None,
    images: int,
    seed: int,
    plot: Path | None,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Compare MODEL (.tflite or .onnx) layer by layer with the Keras model in float.

    Runs each layer in the whole file and alone, on real training images, and lists the
    worst first: the layer that causes the error, not those that pass it on.
    """
    from toolkit.commands._reporter import RichReporter
    from toolkit.diagnosis.file import DiagnoseOptions, diagnose_file
    from toolkit.parity.verify import VerifyOptions, find_files
    from toolkit.trained_model import locate

    options = DiagnoseOptions(images, seed)
    keras = locate(against, data, overrides)
    find_files(keras.exports, VerifyOptions((model,)))
    reporter = RichReporter(output)
    report = diagnose_file(keras.load(reporter), model, options, reporter)
    if plot is not None:
        from toolkit.diagnosis.figures import plot_diagnosis

        plot_diagnosis(report.found, model.name, plot)
        output.say(f"Wrote {plot}")
    output.data(report.to_json(), table(report))
    if report.next_format is not None:
        source = f" {shlex.quote(str(against))}" if against else ""
        search = "" if report.found.worst.wrong else " --max-drop 0.1"
        output.next(f"toolkit export{source} --format {report.next_format}{search}")


def table(report: FileDiagnosis) -> str:
    """Return the layers as a table of at most 80 columns, with causes and advice below it."""
    from rich.box import SIMPLE
    from rich.table import Table

    from toolkit.commands._reporter import render, wrap

    grid = Table(box=SIMPLE, padding=0)
    grid.add_column("layer", overflow="ellipsis", no_wrap=True, max_width=22)
    grid.add_column("operator", overflow="ellipsis", no_wrap=True, max_width=17)
    for heading, width in _NUMBERS.items():
        grid.add_column(heading, justify="right", no_wrap=True, min_width=width)
    for layer in report.found.layers:
        grid.add_row(*_cells(layer))
    causes = [f"{one.name}: {one.remark}" for one in report.found.layers if one.remark]
    head = f"{report.path.name}, {report.backend}, {report.found.images} training images.\n{_HEAD}"
    notes = [f"Note: {note}" for note in report.found.notes]
    lines = [line for text in (*causes, *notes, report.advice) for line in wrap(text)]
    return "\n".join([head, render(grid), *lines])


def _cells(layer: LayerDiagnosis) -> list[str]:
    return [
        layer.name,
        f"{layer.kind.lower()}{' (float)' if layer.is_float else ''}",
        _decibels(layer.own_sqnr),
        _decibels(layer.sqnr),
        f"{layer.cosine:.4f}",
        "" if layer.range_use is None else f"{layer.range_use:.0%}",
        "" if layer.saturated is None else f"{layer.saturated:.2%}",
    ]


def _decibels(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else "exact"
