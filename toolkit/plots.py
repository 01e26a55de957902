"""Pictures as PNG: curves of a training, confusion matrix, images, a diagnosis."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from runtime.errors import MissingDependencyError
from runtime.modelfile.files import write_atomically
from runtime.terminal.silence import silenced

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from toolkit.diagnosis import Diagnosis
    from toolkit.evaluation.metrics import Evaluation

_DPI = 110
_MOST_DB = 80.0  # a bar that long: no noise worth speaking of
_MANY_CLASSES = 20  # above this, numbers in the cells are unreadable


def plot_history(history: Sequence[dict[str, float]], path: Path) -> None:
    """Write :func:`history_figure` as PNG."""
    _save(history_figure(history), path)


def history_figure(history: Sequence[dict[str, float]]) -> Figure:
    """Draw loss and accuracy, training and validation, over the epochs.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    figure = new_figure(9.0, 3.6)
    epochs = range(1, len(history) + 1)
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, label in ((metric, "training"), (f"val_{metric}", "validation")):
            if key in history[0]:
                axes.plot(epochs, [row[key] for row in history], marker=".", label=label)
        axes.set_xlabel("epoch")
        axes.set_title(metric)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def plot_confusion(evaluation: Evaluation, path: Path) -> None:
    """Write :func:`confusion_figure` as PNG."""
    _save(confusion_figure(evaluation), path)


def confusion_figure(evaluation: Evaluation) -> Figure:
    """Draw the confusion matrix with counts; colours show the share of each row.

    Raises:
        MissingDependencyError: matplotlib is not installed.
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
    axes.set_xlabel("answer")
    axes.set_ylabel("truth")
    axes.set_title(f"accuracy {evaluation.accuracy:.2%} on {evaluation.images:,} images")
    if classes <= _MANY_CLASSES:
        for (row, column), count in _cells(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=color, fontsize=8)
    return figure


def plot_images(
    images: Sequence[NDArray[np.uint8]], captions: Sequence[str], title: str, path: Path
) -> None:
    """Draw images with a caption each, in rows of ten at most.

    Args:
        images: uint8 (height, width, channels) each.
        captions: as many.
        title: above all.
        path: of the PNG file.
    """
    columns = min(10, len(images))
    rows = -(-len(images) // columns)
    figure = new_figure(max(5.0, 1.5 * columns), 1.8 * rows + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, image, caption in zip(grid.flat, images, captions, strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(caption, fontsize=7)
    figure.suptitle(title, fontsize=9)
    _save(figure, path)


def plot_diagnosis(diagnosis: Diagnosis, title: str, path: Path) -> None:
    """Draw a bar a layer, in order of execution: alone, and in the whole file.

    Layers with wrong weights are red; a layer without any noise has a full bar.

    Args:
        diagnosis: the layers.
        title: above the bars.
        path: of the PNG file.
    """
    layers = diagnosis.in_order
    figure = new_figure(8.0, 1.2 + 0.36 * len(layers))
    axes = figure.subplots()
    rows = range(len(layers))
    alone = [min(max(layer.own_sqnr, 0.0), _MOST_DB) for layer in layers]
    whole = [min(max(layer.sqnr, 0.0), _MOST_DB) for layer in layers]
    colors = ["tab:red" if layer.wrong else "tab:blue" for layer in layers]
    axes.barh([row - 0.2 for row in rows], alone, 0.4, color=colors, label="alone")
    axes.barh([row + 0.2 for row in rows], whole, 0.4, color="lightgrey", label="in the file")
    axes.set_yticks(rows, [layer.name for layer in layers])
    axes.invert_yaxis()
    axes.set_xlim(0, _MOST_DB)
    axes.set_xlabel("signal to quantization noise, dB")
    axes.set_title(title)
    axes.grid(axis="x", alpha=0.3)
    axes.legend()
    _save(figure, path)


def _cells(counts: NDArray[np.int64]) -> list[tuple[tuple[int, int], int]]:
    """Return row, column and count of the cells that are not zero."""
    return [
        ((row, column), count)
        for row, counts_of_row in enumerate(counts.tolist())
        for column, count in enumerate(counts_of_row)
        if count
    ]


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError("matplotlib", "train", "draw plots") from error
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    with silenced():  # the font may lack a character of a class name
        figure.savefig(buffer, format="png", dpi=_DPI)
    write_atomically(path, buffer.getvalue())
