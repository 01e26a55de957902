"""``toolkit evaluate``: accuracy, confusion matrix, precision, recall and F1."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.console import Output, output_options
from toolkit.commands._options import PATH, data_options, override_options

if TYPE_CHECKING:
    from toolkit.datasets import DataOptions
    from toolkit.evaluation import Evaluation
    from toolkit.subject import Overrides

_PICTURE = "confusion_matrix.png"


@click.command()
@click.argument("model", type=PATH, required=False)
@click.option("--limit", type=int, help="Use the first N test images only.")
@click.option("--out", type=PATH, help="Folder for the confusion matrix as PNG.")
@data_options
@override_options
@output_options
def command(
    model: Path | None,
    limit: int | None,
    out: Path | None,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Evaluate MODEL, a run folder or .keras file [default: the latest run], on test images."""
    from runtime.errors import InputError
    from toolkit.commands._reporter import RichReporter
    from toolkit.evaluation import evaluate
    from toolkit.plots import plot_confusion
    from toolkit.subject import resolve

    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, not {limit}")
    subject = resolve(model, data, overrides, RichReporter(output))
    images, truth = subject.dataset.x_test[:limit], subject.dataset.y_test[:limit]
    scores = subject.source.predict(subject.spec.apply(images))
    result = evaluate(scores, truth, subject.labels)
    folder = out or subject.exports.parent
    picture = folder / f"{subject.dataset.name}-{_PICTURE}"
    plot_confusion(result, picture)
    output.data(result.to_json() | {"confusion_matrix_png": str(picture)}, _text(result))
    output.say(f"Confusion matrix: {picture}")


def _text(result: Evaluation) -> str:
    from rich.box import SIMPLE
    from rich.table import Table

    from toolkit.commands._reporter import render

    grid = Table(
        "class",
        title=f"Accuracy {result.accuracy:.2%} on {result.images:,} images",
        title_justify="left",
        box=SIMPLE,
    )
    for heading in ("precision", "recall", "F1", "images"):
        grid.add_column(heading, justify="right")
    for name, row in {**result.per_class, **result.averages}.items():
        label = f"{name} average" if name in result.averages else name
        numbers = (f"{row[key]:.4f}" for key in ("precision", "recall", "f1"))
        grid.add_row(label, *numbers, f"{row['support']:,.0f}")
    return f"{render(grid)}\n\n{_matrix(result)}"


def _matrix(result: Evaluation) -> str:
    """Return the confusion matrix as text: rows are the truth, columns the answers."""
    width = max(len(str(result.confusion.max())), 4) + 1
    name = max(len(label) for label in result.labels)
    head = " " * name + "".join(f"{label[: width - 1]:>{width}}" for label in result.labels)
    rows = [
        f"{label:>{name}}" + "".join(f"{count:>{width}}" for count in counts)
        for label, counts in zip(result.labels, result.confusion.tolist(), strict=True)
    ]
    return "\n".join(["Confusion matrix (rows: truth, columns: answers)", head, *rows])
