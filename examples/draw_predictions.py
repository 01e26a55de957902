"""Draws examples/predictions.png: the example images, the model inputs, the predictions.

Run it from the root of a checkout: python examples/draw_predictions.py
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

import runtime

FOLDER = Path(__file__).parent
NAMES = "zero one two three four five six seven eight nine".split()


def main() -> None:
    """Write the picture."""
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    grid = figure.subplots(3, len(NAMES), height_ratios=(3, 3, 1))
    with runtime.load(FOLDER / "models" / "mnist-cnn.int8.tflite") as classifier:
        for column, name in enumerate(NAMES):
            (path,) = (FOLDER / "images").glob(f"{name}.*")
            prediction = classifier.predict(path)
            grid[0, column].imshow(Image.open(path))
            grid[1, column].imshow(classifier.prepare(path).pixels[..., 0], cmap="gray")
            grid[2, column].barh([0], [prediction.confidence], color="tab:green")
            grid[2, column].set_xlim(0, 1)
            title = f"{prediction.label}   {prediction.confidence:.1%}"
            grid[2, column].set_title(title, fontsize=13)
    for axes, text in zip(grid[:, 0], ("photo", "model input", "output"), strict=True):
        axes.set_ylabel(text)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(FOLDER / "predictions.png", dpi=80)


if __name__ == "__main__":
    main()
