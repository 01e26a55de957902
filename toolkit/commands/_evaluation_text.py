"""Precision, recall, F1 and confusion matrices as text for a terminal of 80 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.commands._reporter import WIDTH, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from toolkit.evaluation.evaluate import Comparison, FileEvaluation
    from toolkit.evaluation.metrics import Evaluation

_NOTHING, _TINY = 1e-12, 0.5e-4
_MEASURES = {"precision": "precision", "recall": "recall", "f1": "F1"}


def keras_text(result: Evaluation) -> str:
    """Return the metrics of one model and its confusion matrix."""
    title = f"Accuracy {result.accuracy:.2%} on {result.images:,} images"
    grid = _table(("class", *_MEASURES.values(), "images"), title)
    for name, row in {**result.per_class, **result.averages}.items():
        label = f"mean ({name})" if name in result.averages else name
        numbers = (f"{row[key]:.4f}" for key in _MEASURES)
        grid.add_row(label, *numbers, f"{row['support']:,.0f}")
    return f"{render(grid)}\n\n{matrix(result)}"


def file_text(file: FileEvaluation) -> str:
    """Return the metrics of a model file, each with its difference from Keras's."""
    result, keras = file.evaluation, file.reference
    title = (
        f"{file.path.name} on {file.backend}: accuracy {result.accuracy:.2%} on "
        f"{result.images:,} images\nKeras {keras.accuracy:.2%}; the same label on "
        f"{file.agreement:.2%}. Change: the file minus Keras."
    )
    heads = (head for name in _MEASURES.values() for head in (name, "change"))
    grid = _table(("class", *heads, "images"), title)
    theirs = {**keras.per_class, **keras.averages}
    for name, row in {**result.per_class, **result.averages}.items():
        label = f"mean ({name})" if name in result.averages else name
        pairs = ((f"{row[key]:.4f}", _change(row[key] - theirs[name][key])) for key in _MEASURES)
        cells = (cell for pair in pairs for cell in pair)
        grid.add_row(label, *cells, f"{row['support']:,.0f}")
    return f"{render(grid)}\n\n{matrix(result)}"


def all_text(found: Comparison) -> str:
    """Return Keras and all its files side by side, and what changed for each class."""
    keras = found.reference
    title = f"{keras.images:,} test images; precision, recall and F1 are averages of the classes"
    heads = ("", "model", "engine", "accuracy", "change", *_MEASURES.values())
    grid = _table(heads, title, left=("model", "engine"))
    grid.add_row("", "Keras", "", f"{keras.accuracy:.2%}", "", *_averages(keras))
    for number, file in enumerate(found.files, 1):
        result, change = file.evaluation, _change(file.accuracy_delta)
        cells = (f"{result.accuracy:.2%}", change, *_averages(result))
        grid.add_row(str(number), file.format, file.backend, *cells)
    return f"{render(grid)}\n\n{_per_class(found)}"


def matrix(result: Evaluation) -> str:
    """Return the confusion matrix as text: rows are the truth, columns the predictions."""
    name = max(len(label) for label in result.labels)
    room = (WIDTH - name) // len(result.labels)
    width = max(len(str(result.confusion.max())) + 1, 5, min(name + 1, room))
    head = " " * name + "".join(f"{label[: width - 1]:>{width}}" for label in result.labels)
    rows = [
        f"{label:>{name}}" + "".join(f"{count:>{width}}" for count in counts)
        for label, counts in zip(result.labels, result.confusion.tolist(), strict=True)
    ]
    return "\n".join(["Confusion matrix (rows: truth, columns: predictions)", head, *rows])


def _per_class(found: Comparison) -> str:
    """Return F1 of Keras for each class, and its change in each file by number."""
    numbers = [str(number) for number in range(1, len(found.files) + 1)]
    grid = _table(("class", "Keras", *numbers))
    changes = [file.difference for file in found.files]
    for label, row in found.reference.per_class.items():
        cells = (_change(change[label]["f1"]) for change in changes)
        grid.add_row(label, f"{row['f1']:.4f}", *cells)
    return f"F1 of each class: Keras, and the change in each file by its number\n{render(grid)}"


def _averages(result: Evaluation) -> list[str]:
    return [f"{result.averages['macro'][key]:.4f}" for key in _MEASURES]


def _change(value: float) -> str:
    """Return a difference with its sign; ``=`` if there is none, ``~0`` if it is tiny."""
    if abs(value) < _NOTHING:
        return "="
    return f"{value:+.4f}" if abs(value) >= _TINY else "~0"


def _table(headings: Sequence[str], title: str = "", left: Sequence[str] = ("class",)) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    grid = Table(title=title or None, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    for heading in headings:
        side = "left" if heading in left else "right"
        grid.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    return grid
