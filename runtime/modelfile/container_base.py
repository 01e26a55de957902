"""What a container is: payload, manifest and seal in one file."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from runtime.modelfile.manifest import Manifest

DIGEST_CHARS = 64  # SHA-256 as hexadecimal digits


class Container(ABC):
    """One kind of model file.

    The seal is a trailer of fixed length that holds the SHA-256 of all bytes before
    it. It proves that the bytes are those that were written (integrity), not who
    wrote them (authenticity).

    Attributes:
        name: the kind.
        suffix: of its files, with the dot.
        trailer: the fixed bytes of the seal before the digest.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    trailer: ClassVar[bytes]

    @abstractmethod
    def embed(self, payload: bytes, manifest: Manifest) -> bytes:
        """Return payload and manifest as one sealed file."""

    @abstractmethod
    def payload(self, data: bytes) -> bytes:
        """Return what :meth:`embed` was given; a file without a manifest is all payload.

        Raises:
            ArtifactError: it cannot be told from what else is in the file.
        """

    @abstractmethod
    def manifest(self, data: bytes) -> bytes | None:
        """Return the manifest's JSON, or None if the file carries none.

        Raises:
            ArtifactError: the place of the manifest is damaged.
        """

    @abstractmethod
    def check(self, data: bytes) -> None:
        """Check, without any engine, that the file is whole and of this kind.

        Raises:
            ArtifactError: truncated, of another kind, or incomplete by itself.
        """

    def seal(self, data: bytes) -> bytes:
        """Append the trailer with the digest."""
        body = data + self.trailer
        return body + hashlib.sha256(body).hexdigest().encode()

    def digest(self, data: bytes) -> str | None:
        """Return the digest that the trailer states, or None if there is no trailer."""
        trailer = data[-DIGEST_CHARS - len(self.trailer) : -DIGEST_CHARS]
        return data[-DIGEST_CHARS:].decode("ascii", "replace") if trailer == self.trailer else None

    def intact(self, data: bytes) -> bool:
        """Whether the digest in the trailer is that of the bytes before it."""
        return self.digest(data) == hashlib.sha256(data[:-DIGEST_CHARS]).hexdigest()
