"""The layers of a diagnosis as a bar chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolkit.plots import new_figure, save

if TYPE_CHECKING:
    from pathlib import Path

    from toolkit.diagnosis import Diagnosis


_MOST_DB = 80.0  # the longest bar: the noise is negligible


def plot_diagnosis(diagnosis: Diagnosis, title: str, path: Path) -> None:
    """Draw bars per layer, in order of execution: alone, and in the whole file.

    Layers with wrong weights are red; a layer without any noise has a full bar.

    Args:
        diagnosis: the layers.
        title: above the bars.
        path: of the PNG file.

    Example::

        plot_diagnosis(diagnosis.found, "mnist-cnn.int8.tflite", Path("layers.png"))
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
    save(figure, path)
