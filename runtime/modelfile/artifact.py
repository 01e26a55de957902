"""Reading, verification and packing of model files."""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import ArtifactError, InputError, IntegrityError
from runtime.modelfile.container_onnx import OnnxContainer
from runtime.modelfile.container_tflite import TfliteContainer
from runtime.modelfile.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.modelfile.container_base import Container

CONTAINERS = (TfliteContainer, OnnxContainer)
SEALED, UNSEALED = "sha256 verified", "no digest (made by another tool)"
_LOG = logging.getLogger("runtime")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model file in memory.

    Attributes:
        path: where it was read from, or will be written.
        data: content of the file; engines load it unchanged.
        manifest: metadata of the model; None if another tool made the file.
        integrity: ``sha256 verified``, or that there is no digest.

    Example:
        >>> artifact = Artifact(Path("Model.TFLITE"), b"", None, UNSEALED)
        >>> artifact.suffix, artifact.format, artifact.sha256[:8]
        ('.tflite', 'unknown', 'e3b0c442')
    """

    path: Path
    data: bytes
    manifest: Manifest | None
    integrity: str

    @property
    def suffix(self) -> str:
        """The file suffix, lower case, with the dot."""
        return self.path.suffix.lower()

    @property
    def format(self) -> str:
        """The export format; ``unknown`` if another tool made the file."""
        return self.manifest.format if self.manifest else "unknown"

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole file, as hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


def read(path: Path | str) -> Artifact:
    """Read a model file and verify it, before any engine loads it.

    Args:
        path: a ``.tflite`` or ``.onnx`` file.

    Raises:
        InputError: no such file, or it cannot be read.
        IntegrityError: its digest is wrong.
        ArtifactError: truncated, of an unknown format, or with a broken manifest.

    Example:
        >>> from runtime.modelfile.protobuf import message
        >>> size = Path("bare.onnx").write_bytes(message([(1, 8), (7, b"")]))
        >>> read("bare.onnx").integrity
        'no digest (made by another tool)'
    """
    path = Path(path)
    container = _container(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        from runtime.errors import did_you_mean

        raise InputError(f"no such file: {path}{did_you_mean(path)}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    try:
        artifact = _read(path, data, container)
    except ArtifactError as error:
        raise type(error)(f"{path}: {error}") from error
    _LOG.debug(
        "%s: %s container, %d bytes, %s, format %s",
        path,
        container.name,
        len(data),
        artifact.integrity,
        artifact.format,
    )
    return artifact


def pack(path: Path, payload: bytes, manifest: Manifest) -> Artifact:
    """Pack a converted model and its manifest into one model file with a digest, in memory.

    Args:
        path: where the file will be written; its suffix selects the container.
        payload: the file of the converter.
        manifest: metadata of the model.

    Raises:
        ArtifactError: ``path`` has no suffix of a model file.

    Example::

        artifact = pack(Path("mnist-cnn.float32.onnx"), model.SerializeToString(), manifest)
        write_atomically(artifact.path, artifact.data)
    """
    data = _container(path).embed(payload, manifest)
    return Artifact(path, data, manifest, SEALED)


def restate(artifact: Artifact, manifest: Manifest) -> Artifact:
    """Return the same payload with another manifest and a new digest, in memory.

    Args:
        artifact: the file.
        manifest: replaces the manifest of the file.

    Raises:
        ArtifactError: the payload cannot be separated from the rest of the file.

    Example::

        renamed = restate(artifact, dataclasses.replace(artifact.manifest, name="digits"))
    """
    return pack(artifact.path, payload(artifact), manifest)


def payload(artifact: Artifact) -> bytes:
    """Return the payload that was passed to :func:`pack`.

    Args:
        artifact: the file; without a manifest all of it is payload.

    Raises:
        ArtifactError: it cannot be separated from the rest of the file.

    Example:
        >>> payload(Artifact(Path("a.onnx"), b"", None, UNSEALED))
        b''
    """
    return _container(artifact.path).payload(artifact.data)


@contextmanager
def on_disk(artifact: Artifact) -> Iterator[Path]:
    """Write a file that may be in memory only to a temporary folder, for engines that need a path.

    Args:
        artifact: the file.

    Example:
        >>> with on_disk(Artifact(Path("models/a.onnx"), b"12", None, UNSEALED)) as path:
        ...     path.name, path.read_bytes()
        ('a.onnx', b'12')
    """
    from tempfile import TemporaryDirectory  # imported late: it takes longer than reading a file

    with TemporaryDirectory() as folder:
        path = Path(folder) / artifact.path.name
        path.write_bytes(artifact.data)
        yield path


def _read(path: Path, data: bytes, container: Container) -> Artifact:
    if not data:
        raise ArtifactError("the file is empty; copy it again")
    sealed = container.digest(data) is not None
    if sealed and not container.intact(data):
        raise IntegrityError(
            "its SHA-256 does not match its content: damaged or changed since it was "
            "exported; copy it again, or export it again: toolkit export"
        )
    try:
        container.check(data)
        text = container.manifest(data)
    except ArtifactError as error:
        raise type(error)(f"{error}; copy it again") from error
    if text is not None and not sealed:
        raise IntegrityError(
            "it has a manifest but its digest is missing or cut off; copy it again"
        )
    manifest = Manifest.loads(text) if text is not None else None
    return Artifact(path, data, manifest, SEALED if sealed else UNSEALED)


def _container(path: Path) -> Container:
    by_suffix: dict[str, type[Container]] = {one.suffix: one for one in CONTAINERS}
    container = by_suffix.get(path.suffix.lower())
    if container is None:
        raise ArtifactError(
            f"{path}: a model file ends in {' or '.join(sorted(by_suffix))}"
            + (
                ", and a Keras file has to be exported first: toolkit export"
                if path.suffix in (".keras", ".h5")
                else ""
            )
        )
    return container()
