"""Pictures of a training: curves and the confusion matrix, as PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from runtime.errors import MissingDependencyError
from runtime.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from toolkit.evaluation import Evaluation

_DPI = 110
_MANY_CLASSES = 20  # above this, numbers in the cells are unreadable


def plot_history(history: Sequence[dict[str, float]], path: Path) -> None:
    """Draw loss and accuracy, training and validation, over the epochs."""
    figure = _figure(9.0, 3.6)
    epochs = range(1, len(history) + 1)
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label in ((metric, "training"), (f"val_{metric}", "validation")):
            if key in history[0]:
                axes.plot(epochs, [row[key] for row in history], marker=".", label=label)
        axes.set_xlabel("epoch")
        axes.set_title(metric)
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, path)


def plot_confusion(evaluation: Evaluation, path: Path) -> None:
    """Draw the confusion matrix with counts; colours show the share of each row."""
    classes = len(evaluation.labels)
    side = max(4.5, min(0.55 * classes, 14.0))
    figure = _figure(side + 0.8, side)
    axes = figure.subplots()
    counts = evaluation.confusion
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the class")
    axes.set_xticks(range(classes), evaluation.labels, rotation=45, ha="right")
    axes.set_yticks(range(classes), evaluation.labels)
    axes.set_xlabel("answer")
    axes.set_ylabel("truth")
    axes.set_title(f"accuracy {evaluation.accuracy:.2%} on {evaluation.images:,} images")
    if classes <= _MANY_CLASSES:
        for (row, column), count in _cells(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=8)
    _save(figure, path)


def _cells(counts: NDArray[np.int64]) -> list[tuple[tuple[int, int], int]]:
    """Return row, column and count of the cells that are not zero."""
    return [
        ((row, column), count)
        for row, counts_of_row in enumerate(counts.tolist())
        for column, count in enumerate(counts_of_row)
        if count
    ]


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError("matplotlib", "train", "draw plots") from error
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    write_atomically(path, buffer.getvalue())
