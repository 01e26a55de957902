"""Input and output tensors read from a TFLite file, for engines that return them incompletely."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from runtime.backends.tensors import image_layout
from runtime.errors import BackendError
from runtime.modelfile.flatbuffer import View, follow, u32
from runtime.modelfile.manifest import TensorSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

# Slots and numbers of the TFLite schema (tensorflow/compiler/mlir/lite/schema/schema.fbs).
_SUBGRAPHS = 2
_TENSORS, _INPUTS, _OUTPUTS = 0, 1, 2
_SHAPE, _TYPE, _NAME, _QUANTIZATION = 0, 1, 3, 4
_SCALE, _ZERO_POINT = 2, 3
_DTYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 7: "int16", 9: "int8"}


def image_tensors(data: bytes) -> tuple[TensorSpec, TensorSpec]:
    """Return the input and output tensor of a model with one of each.

    Args:
        data: a TFLite file that :mod:`runtime.modelfile` has checked.

    Raises:
        BackendError: there are more or fewer, or one has an unknown data type.

    Example::

        input_tensor, output_tensor = image_tensors(artifact.data)
        print(input_tensor.scale, input_tensor.zero_point)
    """
    try:
        root = _Table(data, u32(data, 0))
        (graph, *_) = root.tables(_SUBGRAPHS)
        tensors = graph.tables(_TENSORS)
        (first,), (last,) = graph.numbers(_INPUTS, "i"), graph.numbers(_OUTPUTS, "i")
        return _spec(tensors[int(first)], image=True), _spec(tensors[int(last)], image=False)
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise BackendError(
            "the file has no input and output tensor of an image classifier"
        ) from error


def _spec(tensor: _Table, *, image: bool) -> TensorSpec:
    shape = tuple(int(size) for size in tensor.numbers(_SHAPE, "i"))
    quantization = tensor.table(_QUANTIZATION)
    scales = quantization.numbers(_SCALE, "f") if quantization else ()
    zeros = quantization.numbers(_ZERO_POINT, "q") if quantization else ()
    single = len(scales) == 1  # several mean one per channel
    return TensorSpec(
        name=tensor.text(_NAME),
        shape=shape,
        dtype=_DTYPES[tensor.byte(_TYPE)],
        layout=image_layout(shape) if image else "NC",
        scale=float(scales[0]) if single else None,
        zero_point=int(zeros[0]) if single and zeros else 0 if single else None,
    )


class _Table(View):
    """A flatbuffer table with access to its fields."""

    def byte(self, slot: int) -> int:
        """Return a number of one byte, 0 if it is left out."""
        place = self.field(slot)
        return self._data[place] if place else 0

    def table(self, slot: int) -> _Table | None:
        """Return a table, None if it is left out."""
        place = self.field(slot)
        return _Table(self._data, follow(self._data, place)) if place else None

    def tables(self, slot: int) -> list[_Table]:
        """Return a vector of tables."""
        count, first = self._vector(slot)
        places = (first + 4 * index for index in range(count))
        return [_Table(self._data, follow(self._data, place)) for place in places]

    def numbers(self, slot: int, kind: str) -> Sequence[float]:
        """Return a vector of numbers; ``kind`` is a letter of :mod:`struct`."""
        count, first = self._vector(slot)
        return struct.unpack_from(f"<{count}{kind}", self._data, first)

    def text(self, slot: int) -> str:
        """Return a text, empty if it is left out."""
        count, first = self._vector(slot)
        return self._data[first : first + count].decode("utf-8", errors="replace")

    def _vector(self, slot: int) -> tuple[int, int]:
        """Return the number of elements, and the offset of the first one."""
        place = self.field(slot)
        if not place:
            return 0, 0
        start = follow(self._data, place)
        return u32(self._data, start), start + 4
