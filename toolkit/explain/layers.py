"""The layers of a model: shape, parameters, multiply-adds, bytes, receptive field."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from exporters.keras_model.multiply_adds import count
from toolkit.explain.fields import Field, field_of
from toolkit.explain.words import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    import keras

    from exporters.keras_model.source import KerasSource

_PIXEL = Field()


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer.

    Attributes:
        name: in the Keras model; the name of a nested model precedes those of its layers.
        kind: the Keras class.
        output_shape: without the batch.
        parameters: all weights, also those that are not trained.
        multiply_adds: per image; None if they cannot be counted.
        bytes_float32: of the weights, 4 each.
        bytes_int8: of the weights in an int8 file: 1 each, and 4 for a bias (int32). 0 for
            batch normalization, which is folded into its neighbour. Scales not counted.
        receptive_field: height and width in pixels of what one value depends on, padding
            included; the whole image if it depends on all of it; None if not known.
        explanation: what such a layer does, in one line.

    Example:
        >>> row = LayerRow("conv2d", "Conv2D", (26, 26, 8), 80, 48_672, 320, 104, (3, 3), "…")
        >>> row.to_json()["multiply_adds"]
        48672
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int | None
    bytes_float32: int
    bytes_int8: int
    receptive_field: tuple[int, int] | None
    explanation: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def describe(source: KerasSource) -> tuple[LayerRow, ...]:
    """Return the layers of a model in their order.

    Example::

        for row in describe(load_keras(Path("mnist-cnn.keras"))):
            print(row.name, row.parameters, row.receptive_field)
    """
    return tuple(_rows(source.model, _PIXEL, source.image_shape, ""))


def fields(model: keras.Model, start: Field | str | None = _PIXEL) -> dict[str, Field | str | None]:
    """Return what :func:`field_of` returns for each layer, by the layer's name.

    Args:
        model: functional or sequential.
        start: the field of its input.

    Example::

        fields(keras.models.load_model("mnist-cnn.keras"))["conv2d"].size  # (3, 3)
    """
    found: dict[str, Field | str | None] = {}
    for layer in _operations(model):
        parents = _parents(layer)
        inputs = [found.get(parent) for parent in parents]
        if not parents:
            found[layer.name] = start
        elif hasattr(layer, "layers"):
            inner = fields(layer, inputs[0])
            found[layer.name] = inner[layer.layers[-1].name]
        else:
            found[layer.name] = field_of(layer, inputs, _input_shape(layer))
    return found


def _rows(
    model: keras.Model, start: Field | str | None, image: tuple[int, int, int], prefix: str
) -> Iterator[LayerRow]:
    known = fields(model, start)
    for layer in model.layers:
        if hasattr(layer, "layers"):
            parents = _parents(layer)
            yield from _rows(layer, known.get(parents[0]), image, f"{prefix}{layer.name}/")
        else:
            yield _row(layer, known.get(layer.name), image, prefix)


def _row(
    layer: keras.layers.Layer, field: Field | str | None, image: tuple[int, int, int], prefix: str
) -> LayerRow:
    sizes = [math.prod(weight.shape) for weight in layer.weights]
    size = field.size if isinstance(field, Field) else None if field is None else image[:2]
    return LayerRow(
        name=prefix + layer.name,
        kind=type(layer).__name__,
        output_shape=tuple(int(side) for side in layer.output.shape[1:]),
        parameters=sum(sizes),
        multiply_adds=_multiply_adds(layer),
        bytes_float32=4 * sum(sizes),
        bytes_int8=_int8_bytes(layer),
        receptive_field=size,
        explanation=explain(layer),
    )


def _int8_bytes(layer: keras.layers.Layer) -> int:
    if type(layer).__name__ == "BatchNormalization":
        return 0
    shapes = [weight.shape for weight in layer.weights]
    return sum(math.prod(shape) * (1 if len(shape) > 1 else 4) for shape in shapes)


def _multiply_adds(layer: keras.layers.Layer) -> int | None:
    if not layer.weights:
        return 0
    shape = _input_shape(layer)
    return count(layer, shape) if shape else None  # type: ignore[arg-type]


def _operations(model: keras.Model) -> list[Any]:
    """Return the layers in topological order."""
    inner = getattr(model, "_functional", None) or model
    return list(inner.operations) if hasattr(inner, "operations") else list(model.layers)


def _node(layer: keras.layers.Layer) -> Any:
    return layer._inbound_nodes[0]  # noqa: SLF001 - Keras has no public way to the graph


def _parents(layer: keras.layers.Layer) -> list[str]:
    tensors = _node(layer).input_tensors
    return [tensor._keras_history.operation.name for tensor in tensors]  # noqa: SLF001


def _input_shape(layer: keras.layers.Layer) -> tuple[int, ...]:
    tensors = _node(layer).input_tensors
    return tuple(int(side) for side in tensors[0].shape[1:]) if len(tensors) else ()
