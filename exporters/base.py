"""Base class of export formats: from an export request to a verified file on disk."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from exporters.check import Checked, compare
from exporters.conversion import timed
from exporters.keras_model.layer_names import short_name
from exporters.quantization_options import QuantizationOptions
from exporters.request import ExportRequest
from runtime.backends import BackendOptions, for_suffix
from runtime.errors import BackendError, ExportError, ParityError
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.artifact import Artifact
from runtime.modelfile.files import write_atomically
from runtime.modelfile.manifest import SCHEMA_VERSION, Created, Manifest, Quantization, Requirements
from runtime.terminal.silence import silenced

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.budget import ParityBudget
    from runtime.backends import Backend

_LOG = logging.getLogger("exporters")


class Exporter(ABC):
    """Base class of an export format.

    A class in :mod:`exporters.formats` that derives from it adds a format.

    Attributes:
        name: format name, as ``--format`` takes it.
        suffix: file suffix.
        variant: part of the file name that distinguishes formats with the same suffix.
        extra: extra of this distribution that installs the converter.
        needs_calibration: whether activations are quantized ahead of time.
        scheme: default quantization scheme, in words.
        methods: calibration methods; empty if the format is not calibrated.
        per_tensor: whether weights can be quantized per tensor.
        mixed: whether single layers can stay in float32.
        budget: allowed difference between the file and the Keras model.
        rank: position in lists of formats.
        check_images: number of images the file is compared on before it is written.

    Example::

        exporter = registry()["tflite-int8"]()
        artifact = exporter.export(request)
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    variant: ClassVar[str]
    extra: ClassVar[str] = "export"
    needs_calibration: ClassVar[bool] = False
    scheme: ClassVar[str]
    methods: ClassVar[tuple[str, ...]] = ()
    per_tensor: ClassVar[bool] = False
    mixed: ClassVar[bool] = False
    budget: ClassVar[ParityBudget]
    rank: ClassVar[int] = 0
    check_images: ClassVar[int] = 256

    @classmethod
    def file_name(cls, name: str) -> str:
        """Return the file name of an exported model.

        Example:
            >>> from exporters.formats import registry
            >>> registry()["tflite-int8"].file_name("mnist-cnn")
            'mnist-cnn.int8.tflite'
        """
        return f"{name}.{cls.variant}{cls.suffix}"

    def export(self, request: ExportRequest) -> Artifact:
        """Convert the model, compare the result with Keras, and write one file atomically.

        Args:
            request: the model, its data and the options.

        Returns:
            The file as read back from disk.

        Raises:
            CalibrationError: the format needs calibration images and there are none.
            ExportError: the model cannot be converted, or not with these options.
            ParityError: the predictions differ too much from Keras's; nothing is written.
                With ``force`` the file is written, unless its outputs are not finite.

        Example::

            artifact = registry()["tflite"]().export(request)
            print(artifact.path, artifact.manifest.accuracy.agreement)
        """
        return self.write(request, self.draft(request))

    def draft(self, request: ExportRequest) -> Artifact:
        """Convert the model in memory, without comparison and without manifest.

        Args:
            request: the model, its data and the options.

        Raises:
            CalibrationError: the format needs calibration images and there are none.
            ExportError: the model cannot be converted, or not with these options.

        Example::

            draft = registry()["tflite-int8"]().draft(request)
            print(len(draft.data))
        """
        if self.needs_calibration:
            request.require_calibration(self.name)
        self.require(request.quantization)
        path = request.out / self.file_name(request.name)
        with timed(request.name, self.name):
            payload = self._convert(request)
        return Artifact(path, payload, None, artifacts.UNSEALED)

    def write(
        self, request: ExportRequest, draft: Artifact, checked: Checked | None = None
    ) -> Artifact:
        """Compare a draft with Keras, add the manifest and write the file.

        Args:
            request: the request the draft was made from.
            draft: the result of :meth:`draft`.
            checked: result of a comparison on other images; None compares on the check
                images of the request.

        Raises:
            ExportError: the engine cannot load the file.
            ParityError: see :meth:`export`.

        Example::

            exporter = registry()["tflite-int8"]()
            artifact = exporter.write(request, exporter.draft(request))
        """
        with self.open(draft) as backend:
            if checked is None:
                check = request.check.first(self.check_images)
                reference = request.reference[: self.check_images]
                checked = compare(backend, request.source, check, reference, self.budget)
            if checked.refusal and not request.force:
                raise ParityError(self._refused(checked.refusal, draft.path))
            manifest = self._manifest(request, draft, backend, checked.refusal)
        manifest = replace(manifest, accuracy=checked.accuracy)
        packed = artifacts.pack(draft.path, draft.data, manifest)
        with self.open(packed):
            write_atomically(draft.path, packed.data)
        _LOG.debug("wrote %s: %d bytes", draft.path, len(packed.data))
        return artifacts.read(draft.path)

    def open(self, artifact: Artifact) -> Backend:
        """Open a file in the preferred engine of its suffix.

        Args:
            artifact: the file, on disk or in memory.

        Raises:
            ExportError: the engine is not installed or cannot load the file.

        Example::

            with exporter.open(draft) as backend:
                outputs = backend.run(batch)
        """
        preferred = for_suffix(self.suffix)[0]
        try:
            with silenced():
                return preferred(artifact)
        except BackendError as error:
            raise ExportError(f"format {self.name}: {error}") from error

    @abstractmethod
    def _convert(self, request: ExportRequest) -> bytes:
        """Return the converted model, without manifest."""

    @abstractmethod
    def _operators(self, payload: bytes) -> dict[str, int]:
        """Return the operators with their versions, or the operator set."""

    @classmethod
    def require(cls, options: QuantizationOptions) -> None:
        """Check that the format supports the options.

        Raises:
            ExportError: names the option and what the format supports.
        """
        if options.method != QuantizationOptions().method and options.method not in cls.methods:
            takes = f"takes {', '.join(cls.methods)}" if cls.methods else "is not calibrated"
            raise ExportError(
                f"format {cls.name} {takes}: no --calibration-method {options.method}"
            )
        if not options.per_channel and not cls.per_tensor:
            raise ExportError(f"format {cls.name} cannot quantize per tensor: no --per-tensor")
        if options.float_layers and not cls.mixed:
            raise ExportError(f"format {cls.name} cannot leave single layers in float")

    def _refused(self, refusal: str, path: Path) -> str:
        search = ", or let the export look for settings that pass: --max-drop 0.5"
        return (
            f"{refusal}; it was not written. Find the cause: export it with --force, then "
            f"toolkit diagnose {path}{search if self.mixed else ''}"
        )

    def _quantization(
        self, request: ExportRequest, backend: Backend, refusal: str | None
    ) -> Quantization:
        """Return the quantization of the file, for its manifest."""
        options, calibration = request.quantization, None
        if self.needs_calibration:
            drawn = request.require_calibration(self.name).record
            calibration = replace(drawn, method=options.method)
        scheme = self.scheme
        if not options.per_channel:
            scheme = scheme.replace("per channel", "per tensor")
        if options.float_layers:
            dtypes = f"{backend.input.dtype} in, {backend.output.dtype} out"
            if dtypes != "int8 in, int8 out":
                scheme = scheme.replace("int8 in and out", dtypes)
            count = len(options.float_layers)
            scheme = f"{scheme}; {count} layer{'s' if count > 1 else ''} in float32"
        names = tuple(self._layer_name(request, key) for key in options.float_layers)
        return Quantization(scheme, calibration, names, refusal)

    def _layer_name(self, request: ExportRequest, key: str) -> str:
        """Return a readable name of a layer that stays in float."""
        del request
        return short_name(key)

    def _manifest(
        self, request: ExportRequest, draft: Artifact, backend: Backend, refusal: str | None
    ) -> Manifest:
        return Manifest(
            name=request.name,
            format=self.name,
            task="image-classification",
            input=backend.input,
            output=backend.output,
            labels=request.labels,
            preprocess=request.spec,
            quantization=self._quantization(request, backend, refusal),
            requirements=Requirements(self._operators(draft.data), _engines(draft)),
            created=Created(
                tool=f"edge-toolkit {request.versions.get('edge-toolkit', 'unknown')}",
                source_sha256=request.source.sha256,
                dataset=request.dataset,
                versions=request.versions,
                lineage=request.lineage,
            ),
            scores=request.source.scores,
            multiply_adds=request.source.multiply_adds,
            schema_version=SCHEMA_VERSION,
        )


def _engines(draft: Artifact) -> dict[str, str]:
    """Return the installed engines that load the file, with their versions."""
    found: dict[str, str] = {}
    for backend in (one for one in for_suffix(draft.suffix) if one.installed()):
        try:
            with silenced():
                backend(draft, BackendOptions()).close()
        except BackendError:
            continue
        found[backend.name] = backend.version() or "unknown"
    return found
