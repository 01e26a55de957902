"""Base class of containers: payload, manifest and digest in one file."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from runtime.modelfile.manifest import Manifest

DIGEST_CHARS = 64  # SHA-256 as hexadecimal digits


class Container(ABC):
    """One file format of models.

    The seal is a trailer of fixed length that holds the SHA-256 of all bytes before
    it. It proves that the bytes are those that were written (integrity), not who
    wrote them (authenticity).

    Attributes:
        name: name of the file format.
        suffix: suffix of its files, with the dot.
        trailer: constant bytes of the seal, before the digest.

    Example:
        >>> from runtime.modelfile.container_tflite import TfliteContainer
        >>> container = TfliteContainer()
        >>> sealed = container.seal(b"content")
        >>> container.intact(sealed), container.intact(b"c0ntent" + sealed[7:])
        (True, False)
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    trailer: ClassVar[bytes]

    @abstractmethod
    def embed(self, payload: bytes, manifest: Manifest) -> bytes:
        """Return payload and manifest as one sealed file.

        Args:
            payload: the file of the converter.
            manifest: metadata of the model.
        """

    @abstractmethod
    def payload(self, data: bytes) -> bytes:
        """Return the payload passed to :meth:`embed`; a file without a manifest is all payload.

        Args:
            data: content of the file.

        Raises:
            ArtifactError: it cannot be separated from the rest of the file.
        """

    @abstractmethod
    def manifest(self, data: bytes) -> bytes | None:
        """Return the manifest's JSON, or None if the file has no manifest.

        Args:
            data: content of the file.

        Raises:
            ArtifactError: the part that holds the manifest is damaged.
        """

    @abstractmethod
    def check(self, data: bytes) -> None:
        """Check, without any engine, that the file is complete and of this format.

        Args:
            data: content of the file.

        Raises:
            ArtifactError: truncated, of another format, or with weights in another file.
        """

    def seal(self, data: bytes) -> bytes:
        """Append the trailer with the digest."""
        body = data + self.trailer
        return body + hashlib.sha256(body).hexdigest().encode()

    def digest(self, data: bytes) -> str | None:
        """Return the digest stored in the trailer, or None if there is no trailer."""
        trailer = data[-DIGEST_CHARS - len(self.trailer) : -DIGEST_CHARS]
        return data[-DIGEST_CHARS:].decode("ascii", "replace") if trailer == self.trailer else None

    def intact(self, data: bytes) -> bool:
        """Whether the digest in the trailer is that of the bytes before it."""
        return self.digest(data) == hashlib.sha256(data[:-DIGEST_CHARS]).hexdigest()
