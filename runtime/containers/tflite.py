"""TFLite: a zip archive is appended to the flatbuffer; its comment is the seal.

This is the convention of TFLite metadata: engines read the flatbuffer from the
start and ignore the tail, and ``unzip model.tflite`` lists what was added.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, ClassVar

from runtime.containers.base import DIGEST_CHARS, Container
from runtime.errors import ArtifactError

if TYPE_CHECKING:
    from runtime.manifest import Manifest

MANIFEST, LABELS = "manifest.json", "labels.txt"
_IDENTIFIER = b"TFL3"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: same content, same bytes
_ZIP_ENTRY = b"PK\x03\x04"

# Slots of tables in the TFLite schema (tensorflow/compiler/mlir/lite/schema/schema.fbs).
_MODEL_BUFFERS, _BUFFER_DATA = 4, 0


class TfliteContainer(Container):
    """A TFLite flatbuffer with a zip tail."""

    name: ClassVar[str] = "tflite"
    suffix: ClassVar[str] = ".tflite"
    trailer: ClassVar[bytes] = b"sha256:"

    def embed(self, payload: bytes, manifest: Manifest) -> bytes:
        """Append the archive with manifest and labels, sealed."""
        stream = io.BytesIO()
        stream.write(payload)
        with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_entry(MANIFEST), manifest.dumps())
            archive.writestr(_entry(LABELS), "\n".join(manifest.labels) + "\n")
            archive.comment = self.trailer + b"0" * DIGEST_CHARS
        return self.seal(stream.getvalue()[: -DIGEST_CHARS - len(self.trailer)])

    def manifest(self, data: bytes) -> bytes | None:
        """Return the archive's ``manifest.json``."""
        if data.rfind(_ZIP_ENTRY) < 0 or not zipfile.is_zipfile(io.BytesIO(data)):
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return archive.read(MANIFEST) if MANIFEST in archive.namelist() else None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error) as error:
            raise ArtifactError(
                f"the archive that holds the manifest is damaged: {error}"
            ) from error

    def check(self, data: bytes) -> None:
        """Check identifier and that every weight buffer lies inside the file."""
        if data[4:8] != _IDENTIFIER:
            raise ArtifactError("not a TFLite model (its bytes 4 to 7 are not TFL3)")
        try:
            end = _last_buffer_end(data)
        except struct.error as error:
            raise ArtifactError("truncated: its tables point past the end of the file") from error
        if end > len(data):
            raise ArtifactError(f"truncated: its weights need {end:,} bytes, it has {len(data):,}")
        tail = data.rfind(_ZIP_ENTRY, end)
        if tail >= 0 and not zipfile.is_zipfile(io.BytesIO(data)):
            raise ArtifactError("truncated: the archive at its end, with the manifest, is cut off")


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _last_buffer_end(data: bytes) -> int:
    """Return where the last weight buffer ends, in bytes from the start.

    Raises:
        struct.error: an offset points outside the file.
    """
    model = _u32(data, 0)
    buffers = _slot(data, model, _MODEL_BUFFERS)
    if buffers is None:
        return len(data)
    vector = buffers + _u32(data, buffers)
    end = vector
    for index in range(_u32(data, vector)):
        place = vector + 4 + 4 * index
        content = _slot(data, place + _u32(data, place), _BUFFER_DATA)
        if content is not None:
            start = content + _u32(data, content)
            end = max(end, start + 4 + _u32(data, start))
    return end


def _slot(data: bytes, table: int, index: int) -> int | None:
    """Return the position of a field of a flatbuffer table, or None if it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if vtable < 0:
        raise struct.error("vtable before the start")
    if 4 + 2 * index >= struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = int(struct.unpack_from("<H", data, vtable + 4 + 2 * index)[0])
    return table + offset if offset else None


def _u32(data: bytes, position: int) -> int:
    if position < 0:
        raise struct.error("negative offset")
    return int(struct.unpack_from("<I", data, position)[0])
