"""The feature maps of one image, for Keras and for a quantized file side by side."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.modelfile.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from exporters.keras_model.source import KerasSource
    from toolkit.inspection import GraphView

_SHOWN = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D")
_AFTER = (*_SHOWN, "ReLU", "Activation", "Add", "Concatenate", "BatchNormalization")
_CHANNELS, _SIDE, _GAP, _TEXT = 8, 56, 4, 14  # maps per row; pixels
DRAWN = 16  # layers on a sheet


@dataclass(frozen=True, slots=True, eq=False)
class MapRow:
    """The maps of one layer for one image.

    Attributes:
        layer: the Keras layer.
        keras: float32 (height, width, channels).
        file: the same of the model file, as real values; None if the file has no such
            layer (it was fused into another one), or if there is no file.

    Example:
        >>> values = np.zeros((2, 2, 1), np.float32)
        >>> MapRow("conv2d", values, values + 0.5).max_difference
        0.5
    """

    layer: str
    keras: NDArray[np.float32]
    file: NDArray[np.float32] | None = None

    @property
    def max_difference(self) -> float | None:
        """Largest difference of a value; None without a file."""
        return None if self.file is None else float(np.abs(self.file - self.keras).max())

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, without the maps."""
        low, high = float(self.keras.min()), float(self.keras.max())
        name = {"layer": self.layer, "shape": list(self.keras.shape)}
        return name | {"low": low, "high": high, "max_difference": self.max_difference}


def feature_maps(
    source: KerasSource, batch: NDArray[np.float32], graph: GraphView | None = None
) -> tuple[MapRow, ...]:
    """Return the maps of one image after convolutions, poolings, sums and activations.

    A file fuses some layers. Each of its layers belongs to that Keras layer of the same
    shape whose values are nearest.

    Args:
        source: the Keras model.
        batch: float32 (1, height, width, channels) in model units.
        graph: the layers of the model file; None shows Keras only.

    Example::

        rows = feature_maps(source, spec.apply(images[:1]), view(file.data, file.suffix))
    """
    expected = _keras_maps(source, batch)
    paired = _paired(expected, graph.activations(batch)) if graph else {}
    return tuple(MapRow(name, expected[name], paired.get(name)) for name in expected)


def draw(image: NDArray[np.uint8], rows: Sequence[MapRow], path: Path, file: str = "") -> None:
    """Write a sheet: the image, then for each of the first 16 layers its strongest channels.

    Both rows of a layer use one grey scale: black is the least, white the most of Keras.

    Args:
        image: uint8 (height, width, channels).
        rows: at least one.
        path: the PNG file.
        file: name of the model file.

    Example:
        >>> image = np.zeros((4, 4, 1), np.uint8)
        >>> from pathlib import Path
        >>> draw(image, [MapRow("conv2d", np.ones((2, 2, 1), np.float32))], Path("maps.png"))
        >>> Path("maps.png").is_file()
        True
    """
    from PIL import Image, ImageDraw

    rows = rows[:DRAWN]
    lines = 1 + sum(1 if row.file is None else 2 for row in rows)
    width = _CHANNELS * (_SIDE + _GAP) + _GAP
    height = lines * (_SIDE + _TEXT + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), "white")
    pen, y = ImageDraw.Draw(sheet), _GAP
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    _paste(sheet, picture, _GAP, y)
    pen.text((2 * _GAP + _SIDE, y), "the image", fill="black")
    y += _SIDE + _TEXT + _GAP
    for row in rows:
        chosen = np.argsort(-row.keras.mean(axis=(0, 1)), kind="stable")[:_CHANNELS]
        pairs = (("Keras", row.keras), (file, row.file))
        for name, maps in pairs:
            if maps is None:
                continue
            pen.text((_GAP, y), f"{row.layer}: {name}", fill="black")
            for column, channel in enumerate(chosen):
                grey = Image.fromarray(_grey(maps[..., channel], row.keras[..., channel]))
                _paste(sheet, grey, _GAP + column * (_SIDE + _GAP), y + _TEXT)
            y += _SIDE + _TEXT + _GAP
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())


def _keras_maps(source: KerasSource, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    import keras

    model = source.model
    layers = [
        layer
        for layer in model.layers
        if type(layer).__name__ in _AFTER and len(layer.output.shape) == 4
    ]
    if not layers:
        return {}
    outputs = keras.Model(model.inputs[0], [layer.output for layer in layers])(
        batch, training=False
    )
    values = outputs if isinstance(outputs, list | tuple) else [outputs]
    return {
        layer.name: np.asarray(value, np.float32)[0]
        for layer, value in zip(layers, values, strict=True)
    }


def _paired(
    expected: dict[str, NDArray[np.float32]], found: dict[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """Assign each map of the file to the nearest of Keras's maps."""
    paired: dict[str, NDArray[np.float32]] = {}
    for values in found.values():
        maps = values[0]
        distances = {
            name: float(np.abs(own - maps).mean())
            for name, own in expected.items()
            if own.shape == maps.shape
        }
        if distances:
            paired.setdefault(min(distances, key=distances.__getitem__), maps)
    return paired


def _grey(values: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(scale.min()), float(scale.max())
    shares = (values - low) / (high - low if high > low else 1.0)
    grey: NDArray[np.uint8] = np.rint(shares.clip(0, 1) * 255).astype(np.uint8)
    return grey


def _paste(sheet: Any, picture: Any, x: int, y: int) -> None:
    from PIL import Image

    sheet.paste(picture.resize((_SIDE, _SIDE), Image.Resampling.NEAREST).convert("RGB"), (x, y))
