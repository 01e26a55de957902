"""The model file: read, checked, and made."""

from __future__ import annotations

import hashlib
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


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model file in memory.

    Attributes:
        path: where it came from, or will be written.
        data: all its bytes; engines take them as they are.
        manifest: what it says of itself; None where another tool made it.
        integrity: ``sha256 verified``, or that there is no digest.
    """

    path: Path
    data: bytes
    manifest: Manifest | None
    integrity: str

    @property
    def suffix(self) -> str:
        """The file's ending, lower case, with the dot."""
        return self.path.suffix.lower()

    @property
    def format(self) -> str:
        """The export format; ``unknown`` where another tool made the file."""
        return self.manifest.format if self.manifest else "unknown"

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole file, as hexadecimal digits."""
        return hashlib.sha256(self.data).hexdigest()


def read(path: Path | str) -> Artifact:
    """Read a model file and check it, before any engine sees it.

    Raises:
        InputError: no such file, or it cannot be read.
        IntegrityError: its digest is wrong.
        ArtifactError: truncated, of an unknown kind, or with a broken manifest.
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
        return _read(path, data, container)
    except ArtifactError as error:
        raise type(error)(f"{path}: {error}") from error


def pack(path: Path, payload: bytes, manifest: Manifest) -> Artifact:
    """Put an engine's payload and a manifest into one sealed model file, in memory.

    Raises:
        ArtifactError: the suffix of ``path`` belongs to no kind of model file.
    """
    data = _container(path).embed(payload, manifest)
    return Artifact(path, data, manifest, SEALED)


def restate(artifact: Artifact, manifest: Manifest) -> Artifact:
    """Return the same payload with another manifest, sealed, in memory.

    Raises:
        ArtifactError: the payload cannot be told from what else is in the file.
    """
    return pack(artifact.path, payload(artifact), manifest)


def payload(artifact: Artifact) -> bytes:
    """Return the engine's file that :func:`pack` was given.

    Raises:
        ArtifactError: it cannot be told from what else is in the file.
    """
    return _container(artifact.path).payload(artifact.data)


@contextmanager
def on_disk(artifact: Artifact) -> Iterator[Path]:
    """Write a file that may be in memory only into a folder that goes again."""
    from tempfile import TemporaryDirectory  # it takes longer than all else here

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
    kinds: dict[str, type[Container]] = {kind.suffix: kind for kind in CONTAINERS}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise ArtifactError(
            f"{path}: a model file ends in {' or '.join(sorted(kinds))}"
            + (
                ", and a Keras file has to be exported first: toolkit export"
                if path.suffix in (".keras", ".h5")
                else ""
            )
        )
    return kind()
