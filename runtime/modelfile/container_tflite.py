"""TFLite: a zip archive is appended to the flatbuffer; its comment is the seal.

This is the convention of TFLite metadata: engines read the flatbuffer from the start and
ignore the appended bytes, and ``unzip model.tflite`` lists the added files.
"""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING, ClassVar

from runtime.errors import ArtifactError
from runtime.modelfile.container_base import DIGEST_CHARS, Container
from runtime.modelfile.flatbuffer import Table, TableVector, extent

if TYPE_CHECKING:
    from runtime.modelfile.manifest import Manifest

MANIFEST, LABELS = "manifest.json", "labels.txt"
_IDENTIFIER = b"TFL3"
_MANIFEST_LIMIT = 1 << 24  # bytes; a few thousand labels take far less
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: same content, same bytes
_ZIP_ENTRY = b"PK\x03\x04"

# Slots of the TFLite schema (tensorflow/compiler/mlir/lite/schema/schema.fbs).
_PLAIN = Table({})
_QUANTIZATION = Table({0: 4, 1: 4, 2: 4, 3: 8, 5: _PLAIN})  # min, max, scale, zero points
_TENSOR = Table({0: 4, 3: 1, 4: _QUANTIZATION, 7: 4})  # shape, name, quantization, signature
_OPERATOR = Table({1: 4, 2: 4, 4: _PLAIN, 5: 1, 8: 4})  # inputs, outputs, options …
_SUBGRAPH = Table({0: TableVector(_TENSOR), 1: 4, 2: 4, 3: TableVector(_OPERATOR), 4: 1})
_MODEL = Table(
    {
        1: TableVector(Table({1: 1})),  # operator codes: custom name
        2: TableVector(_SUBGRAPH),
        3: 1,  # description
        4: TableVector(Table({0: 1})),  # buffers: the weights
        6: TableVector(Table({0: 1})),  # metadata: name
    }
)


class TfliteContainer(Container):
    """A TFLite flatbuffer with an appended zip archive.

    Example:
        >>> TfliteContainer().check(b"not a model")
        Traceback (most recent call last):
        runtime.errors.ArtifactError: not a TFLite model (its bytes 4 to 7 are not TFL3)
    """

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

    def payload(self, data: bytes) -> bytes:
        """Return the bytes before the archive."""
        if self.manifest(data) is None:
            return data
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {entry.filename: entry.header_offset for entry in archive.infolist()}
        others = sorted(set(entries) - {MANIFEST, LABELS})
        if others:
            raise ArtifactError(f"its archive contains files of another tool: {', '.join(others)}")
        return data[: min(entries.values())]

    def manifest(self, data: bytes) -> bytes | None:
        """Return the archive's ``manifest.json``."""
        if data.rfind(_ZIP_ENTRY) < 0 or not zipfile.is_zipfile(io.BytesIO(data)):
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return _read(archive) if MANIFEST in archive.namelist() else None
        except Exception as error:  # zipfile raises many unrelated kinds on damaged bytes
            raise ArtifactError(
                f"the archive that holds the manifest is damaged: {error}"
            ) from error

    def check(self, data: bytes) -> None:
        """Check the identifier, and that all tables and weights are inside the file."""
        if data[4:8] != _IDENTIFIER:
            raise ArtifactError("not a TFLite model (its bytes 4 to 7 are not TFL3)")
        try:
            end = extent(data, _MODEL)
        except struct.error as error:
            raise ArtifactError("truncated: its tables point past the end of the file") from error
        if end > len(data):
            raise ArtifactError(f"truncated: it needs {end:,} bytes, it has {len(data):,}")
        archive = data.rfind(_ZIP_ENTRY, end)
        if archive >= 0 and not zipfile.is_zipfile(io.BytesIO(data)):
            raise ArtifactError("truncated: the archive at its end, with the manifest, is cut off")


def _read(archive: zipfile.ZipFile) -> bytes:
    if archive.getinfo(MANIFEST).file_size > _MANIFEST_LIMIT:
        raise ArtifactError("the manifest is larger than 16 MiB")
    return archive.read(MANIFEST)


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
