"""The confusion matrix as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.plots import new_figure, save

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from toolkit.evaluation.metrics import Evaluation


_MANY_CLASSES = 20  # above this, numbers in the cells are unreadable


def plot_confusion(evaluation: Evaluation, path: Path) -> None:
    """Write :func:`confusion_figure` as PNG.

    Example::

        plot_confusion(evaluate(scores, truth, labels), Path("confusion_matrix.png"))
    """
    save(confusion_figure(evaluation), path)


def confusion_figure(evaluation: Evaluation) -> Figure:
    """Draw the confusion matrix with counts; colours show the share of each row.

    Raises:
        MissingDependencyError: matplotlib is not installed.

    Example::

        confusion_figure(evaluation).savefig("matrix.svg")
    """
    classes = len(evaluation.labels)
    side = max(4.5, min(0.55 * classes, 14.0))
    figure = new_figure(side + 0.8, side)
    axes = figure.subplots()
    counts = evaluation.confusion
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the class")
    axes.set_xticks(range(classes), evaluation.labels, rotation=45, ha="right")
    axes.set_yticks(range(classes), evaluation.labels)
    axes.set_xlabel("prediction")
    axes.set_ylabel("truth")
    axes.set_title(f"accuracy {evaluation.accuracy:.2%} on {evaluation.images:,} images")
    if classes <= _MANY_CLASSES:
        for (row, column), count in _cells(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=8)
    return figure


def _cells(counts: NDArray[np.int64]) -> list[tuple[tuple[int, int], int]]:
    """Return row, column and count of the cells that are not zero."""
    return [
        ((row, column), count)
        for row, counts_of_row in enumerate(counts.tolist())
        for column, count in enumerate(counts_of_row)
        if count
    ]
