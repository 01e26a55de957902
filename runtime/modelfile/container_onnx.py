"""ONNX: manifest and seal are entries of the model's ``metadata_props``.

Protobuf messages can be concatenated, so both are appended as bytes. They are read without
the onnx package, which is not installed on a device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from runtime.errors import ArtifactError
from runtime.modelfile.container_base import DIGEST_CHARS, Container
from runtime.modelfile.protobuf import message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.modelfile.manifest import Manifest

# Field numbers of onnx.proto3 (github.com/onnx/onnx, onnx/onnx.proto).
_MODEL_IR_VERSION, _MODEL_GRAPH, _MODEL_METADATA = 1, 7, 14
_GRAPH_INITIALIZER, _TENSOR_NAME, _TENSOR_LOCATION = 5, 8, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_EXTERNAL = 1

# Wire types of protobuf (protobuf.dev/programming-guides/encoding).
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_KEY = b"manifest"
_SEAL_KEY = b"sha256"


class OnnxContainer(Container):
    """An ONNX model; the entry ``names`` repeats the labels in the form other tools read.

    Example:
        >>> from runtime.modelfile.protobuf import message
        >>> bare = message([(1, 8), (7, b"")])  # IR version 8, an empty graph
        >>> OnnxContainer().check(bare)
        >>> OnnxContainer().manifest(bare) is None
        True
    """

    name: ClassVar[str] = "onnx"
    suffix: ClassVar[str] = ".onnx"
    trailer: ClassVar[bytes] = bytes(
        (
            _MODEL_METADATA << 3 | _BYTES,
            len(_SEAL_KEY) + DIGEST_CHARS + 4,
            _ENTRY_KEY << 3 | _BYTES,
            len(_SEAL_KEY),
            *_SEAL_KEY,
            _ENTRY_VALUE << 3 | _BYTES,
            DIGEST_CHARS,
        )
    )

    def embed(self, payload: bytes, manifest: Manifest) -> bytes:
        """Append manifest, class names and seal."""
        names = repr(dict(enumerate(manifest.labels))).encode()
        entries = _metadata(_KEY, manifest.dumps()) + _metadata(b"names", names)
        return self.seal(payload + entries)

    def payload(self, data: bytes) -> bytes:
        """Return the bytes before the entry of the manifest."""
        text = self.manifest(data)
        return data if text is None else data[: data.rfind(_metadata(_KEY, text))]

    def manifest(self, data: bytes) -> bytes | None:
        """Return the value of the last entry called ``manifest``."""
        found = None
        for number, value in _fields(memoryview(data)):
            if number == _MODEL_METADATA and isinstance(value, memoryview):
                entry = {n: v for n, v in _fields(value) if isinstance(v, memoryview)}
                if bytes(entry.get(_ENTRY_KEY, b"")) == _KEY:
                    found = bytes(entry.get(_ENTRY_VALUE, b""))
        return found

    def check(self, data: bytes) -> None:
        """Check the outer fields, and that no weights are stored in another file."""
        top = list(_fields(memoryview(data)))
        numbers = {number for number, _ in top}
        if not {_MODEL_IR_VERSION, _MODEL_GRAPH} <= numbers:
            raise ArtifactError("not an ONNX model, or truncated")
        for number, graph in top:
            if number == _MODEL_GRAPH and isinstance(graph, memoryview):
                _refuse_external(graph)


def _refuse_external(graph: memoryview) -> None:
    for number, tensor in _fields(graph):
        if number != _GRAPH_INITIALIZER or not isinstance(tensor, memoryview):
            continue
        fields = dict(_fields(tensor))
        if fields.get(_TENSOR_LOCATION) == _EXTERNAL:
            raw = fields.get(_TENSOR_NAME, b"")
            name = bytes(raw).decode("utf-8", "replace") if isinstance(raw, memoryview) else "?"
            raise ArtifactError(
                f"its weights ('{name}' …) are stored in another file (ONNX external data), and "
                "one file has to be enough on a device; save it again as one file: "
                "onnx.save(onnx.load('model.onnx'), 'model-one-file.onnx')"
            )


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Iterate over the fields of one protobuf message.

    Yields:
        Field number and value; bytes-like fields as a view, others as an integer.

    Raises:
        ArtifactError: a field runs past the end, or is invalid.
    """
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        kind = key & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, position = _varint(data, position)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ArtifactError("not an ONNX model, or damaged")
        if length > len(data) - position:
            raise ArtifactError("truncated, or not an ONNX model")
        yield key >> 3, data[position : position + length]
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise ArtifactError("truncated, or not an ONNX model")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _metadata(key: bytes, value: bytes) -> bytes:
    entry = message([(_ENTRY_KEY, key), (_ENTRY_VALUE, value)])
    return message([(_MODEL_METADATA, entry)])
