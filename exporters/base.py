"""What an exporter is: one format, from request to a checked file on disk."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from exporters.check import CheckImages, compare
from runtime import artifact as artifacts
from runtime.artifact import Artifact
from runtime.backends import BackendOptions, for_suffix
from runtime.errors import BackendError, ExportError, InputError
from runtime.files import write_atomically
from runtime.manifest import (
    SCHEMA_VERSION,
    Created,
    Manifest,
    Quantization,
    Requirements,
)
from runtime.quiet import silenced

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.budget import ParityBudget
    from exporters.calibration import CalibrationSet
    from exporters.source import KerasSource
    from runtime.backends import Backend
    from runtime.preprocess import PreprocessSpec

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, eq=False)
class ExportRequest:
    """What to export, and what a file needs to know about it.

    Attributes:
        source: the Keras model.
        name: the model's name; files are called ``name.variant.suffix``.
        labels: the class names.
        spec: how an image becomes model input.
        check: real images on which each file is compared with Keras.
        calibration: training images; needed by the quantized formats.
        dataset: what the model was trained on.
        versions: of the packages at work, recorded in the file.
        out: the folder to write to.
    """

    source: KerasSource
    name: str
    labels: tuple[str, ...]
    spec: PreprocessSpec
    check: CheckImages
    calibration: CalibrationSet | None
    dataset: str
    out: Path
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that the parts fit each other.

        Raises:
            InputError: names the first thing that does not fit.
        """
        if not _NAME.fullmatch(self.name):
            raise InputError(f"'{self.name}' cannot be a file name: use letters, digits, . _ -")
        self.source.require(self.spec, self.labels)


class Exporter(ABC):
    """One export format; a file in ``formats`` with such a class adds it.

    Attributes:
        name: what ``--format`` takes.
        suffix: the file's ending.
        variant: the part of the file name that tells formats of one suffix apart.
        extra: the extra of this distribution that brings the converter.
        needs_calibration: whether activations are quantized ahead of time.
        scheme: how numbers are stored and computed, in words.
        budget: how far the file may be from Keras.
        rank: order in lists.
        check_images: how many images the check before writing uses.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    variant: ClassVar[str]
    extra: ClassVar[str] = "export"
    needs_calibration: ClassVar[bool] = False
    scheme: ClassVar[str]
    budget: ClassVar[ParityBudget]
    rank: ClassVar[int] = 0
    check_images: ClassVar[int] = 256

    def export(self, request: ExportRequest) -> Artifact:
        """Convert, compare with Keras on real images, and write one file atomically.

        Returns:
            The file as it was read back from disk.

        Raises:
            CalibrationError: the format needs calibration images and there are none.
            ExportError: the model cannot be converted.
            ParityError: the converted model answers differently; nothing is written.
        """
        if self.needs_calibration and request.calibration is None:
            raise ExportError(f"format {self.name} needs calibration images: --data PATH")
        payload = self._convert(request)
        path = request.out / f"{request.name}.{self.variant}{self.suffix}"
        draft = Artifact(path, payload, None, artifacts.UNSEALED)
        with self._open(draft) as backend:
            accuracy = compare(
                backend, request.source, request.check.first(self.check_images), self.budget
            )
            manifest = self._manifest(request, draft, backend)
        packed = artifacts.pack(path, payload, replace(manifest, accuracy=accuracy))
        with self._open(packed):
            write_atomically(path, packed.data)
        return artifacts.read(path)

    @abstractmethod
    def _convert(self, request: ExportRequest) -> bytes:
        """Return the engine's file, without manifest."""

    @abstractmethod
    def _operators(self, payload: bytes) -> dict[str, int]:
        """Return the operators with their versions, or the operator set."""

    def _open(self, artifact: Artifact) -> Backend:
        """Open a file in the preferred engine; one that cannot be checked is not written."""
        preferred = for_suffix(self.suffix)[0]
        try:
            with silenced():
                return preferred(artifact)
        except BackendError as error:
            raise ExportError(f"format {self.name}: {error}") from error

    def _manifest(self, request: ExportRequest, draft: Artifact, backend: Backend) -> Manifest:
        calibration = request.calibration if self.needs_calibration else None
        return Manifest(
            name=request.name,
            format=self.name,
            task="image-classification",
            input=backend.input,
            output=backend.output,
            labels=request.labels,
            preprocess=request.spec,
            quantization=Quantization(self.scheme, calibration.record if calibration else None),
            requirements=Requirements(self._operators(draft.data), _engines(draft)),
            created=Created(
                tool=f"edge-toolkit {request.versions.get('edge-toolkit', 'unknown')}",
                source_sha256=request.source.sha256,
                dataset=request.dataset,
                versions=request.versions,
            ),
            scores=request.source.scores,
            schema_version=SCHEMA_VERSION,
        )


def _engines(draft: Artifact) -> dict[str, str]:
    """Return the installed engines, with their versions, that open the file."""
    found: dict[str, str] = {}
    for backend in for_suffix(draft.suffix):
        if not backend.installed():
            continue
        try:
            with silenced():
                backend(draft, BackendOptions()).close()
        except BackendError:
            continue
        found[backend.name] = backend.version() or "unknown"
    return found
