"""Figures as PNG: curves of a training, confusion matrix, images, a diagnosis."""

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


_DPI = 110


def plot_history(history: Sequence[dict[str, float]], path: Path) -> None:
    """Write :func:`history_figure` as PNG.

    Example::

        plot_history([{"loss": 0.3, "accuracy": 0.9}], Path("curves.png"))
    """
    save(history_figure(history), path)


def history_figure(history: Sequence[dict[str, float]]) -> Figure:
    """Draw loss and accuracy, training and validation, over the epochs.

    Raises:
        MissingDependencyError: matplotlib is not installed.

    Example::

        history_figure(history).savefig("curves.svg")
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


def plot_images(
    images: Sequence[NDArray[np.uint8]], captions: Sequence[str], title: str, path: Path
) -> None:
    """Draw images with captions, at most ten per row.

    Args:
        images: uint8 (height, width, channels) each.
        captions: one per image.
        title: of the figure.
        path: of the PNG file.

    Example::

        plot_images(dataset.x_test[:20], dataset.y_test[:20].astype(str), "digits", path)
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
    save(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches.

    Raises:
        MissingDependencyError: matplotlib is not installed.

    Example::

        axes = new_figure(6.0, 4.0).subplots()
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError("matplotlib", "train", "draw plots") from error
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically.

    Example::

        save(confusion_figure(evaluation), Path("matrix.png"))
    """
    buffer = io.BytesIO()
    with silenced():  # the font may lack a character of a class name
        figure.savefig(buffer, format="png", dpi=_DPI)
    write_atomically(path, buffer.getvalue())
