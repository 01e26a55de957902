"""What an exporter is: one format, from request to a checked file on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from exporters.check import Checked, compare
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


class Exporter(ABC):
    """One export format; a file in ``formats`` with such a class adds it.

    Attributes:
        name: what ``--format`` takes.
        suffix: the file's ending.
        variant: the part of the file name that tells formats of one suffix apart.
        extra: the extra of this distribution that brings the converter.
        needs_calibration: whether activations are quantized ahead of time.
        scheme: how numbers are stored and computed by default, in words.
        methods: how ranges can be taken from activations; empty without calibration.
        per_tensor: whether all channels of a layer can be made to share one scale.
        mixed: whether layers can be left in float.
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
    methods: ClassVar[tuple[str, ...]] = ()
    per_tensor: ClassVar[bool] = False
    mixed: ClassVar[bool] = False
    budget: ClassVar[ParityBudget]
    rank: ClassVar[int] = 0
    check_images: ClassVar[int] = 256

    @classmethod
    def file_name(cls, name: str) -> str:
        """Return what the file of a model is called, for example ``mnist-cnn.int8.tflite``."""
        return f"{name}.{cls.variant}{cls.suffix}"

    def export(self, request: ExportRequest) -> Artifact:
        """Convert, compare with Keras on real images, and write one file atomically.

        Returns:
            The file as it was read back from disk.

        Raises:
            CalibrationError: the format needs calibration images and there are none.
            ExportError: the model cannot be converted, or not with these options.
            ParityError: the converted model answers differently; nothing is written,
                except with ``force`` where the answers are finite.
        """
        return self.write(request, self.draft(request))

    def draft(self, request: ExportRequest) -> Artifact:
        """Convert in memory: the engine's file, neither checked nor sealed.

        Raises:
            CalibrationError: the format needs calibration images and there are none.
            ExportError: the model cannot be converted, or not with these options.
        """
        if self.needs_calibration:
            request.require_calibration(self.name)
        self._require(request.quantization)
        path = request.out / self.file_name(request.name)
        return Artifact(path, self._convert(request), None, artifacts.UNSEALED)

    def write(
        self, request: ExportRequest, draft: Artifact, checked: Checked | None = None
    ) -> Artifact:
        """Check a draft of the same request, seal it and write it; see :meth:`export`.

        Args:
            request: what the draft was made from.
            draft: the engine's file.
            checked: what was found on other images; None compares on those of the request.
        """
        with self.open(draft) as backend:
            if checked is None:
                check = request.check.first(self.check_images)
                reference = request.reference[: self.check_images]
                checked = compare(backend, request.source, check, reference, self.budget)
            if checked.refusal and not request.force:
                raise ParityError(self._ways_on(checked.refusal, draft.path))
            manifest = self._manifest(request, draft, backend, checked.refusal)
        manifest = replace(manifest, accuracy=checked.accuracy)
        packed = artifacts.pack(draft.path, draft.data, manifest)
        with self.open(packed):
            write_atomically(draft.path, packed.data)
        return artifacts.read(draft.path)

    def open(self, artifact: Artifact) -> Backend:
        """Open a file in the preferred engine; one that cannot be checked is not written.

        Raises:
            ExportError: the engine is missing or refuses the file.
        """
        preferred = for_suffix(self.suffix)[0]
        try:
            with silenced():
                return preferred(artifact)
        except BackendError as error:
            raise ExportError(f"format {self.name}: {error}") from error

    @abstractmethod
    def _convert(self, request: ExportRequest) -> bytes:
        """Return the engine's file, without manifest."""

    @abstractmethod
    def _operators(self, payload: bytes) -> dict[str, int]:
        """Return the operators with their versions, or the operator set."""

    def _require(self, options: QuantizationOptions) -> None:
        """Refuse options that the format cannot honour.

        Raises:
            ExportError: names the option and what the format takes.
        """
        if options.method != QuantizationOptions().method and options.method not in self.methods:
            takes = f"takes {', '.join(self.methods)}" if self.methods else "is not calibrated"
            raise ExportError(
                f"format {self.name} {takes}: no --calibration-method {options.method}"
            )
        if not options.per_channel and not self.per_tensor:
            raise ExportError(f"format {self.name} cannot share scales: no --per-tensor")
        if options.float_layers and not self.mixed:
            raise ExportError(f"format {self.name} cannot leave single layers in float")

    def _ways_on(self, refusal: str, path: Path) -> str:
        mend = ", or let the export look for settings that pass: --max-drop 0.5"
        return (
            f"{refusal}; it was not written. Find the cause: export it with --force, then "
            f"toolkit diagnose {path}{mend if self.mixed else ''}"
        )

    def _quantization(
        self, request: ExportRequest, backend: Backend, refusal: str | None
    ) -> Quantization:
        """Describe what was really done."""
        options, calibration = request.quantization, None
        if self.needs_calibration:
            drawn = request.require_calibration(self.name).record
            calibration = replace(drawn, method=options.method)
        scheme = self.scheme
        if not options.per_channel:
            scheme = scheme.replace("per channel", "per tensor")
        if options.float_layers:
            ends = f"{backend.input.dtype} in, {backend.output.dtype} out"
            if ends != "int8 in, int8 out":
                scheme = scheme.replace("int8 in and out", ends)
            count = len(options.float_layers)
            scheme = f"{scheme}; {count} layer{'s' if count > 1 else ''} in float32"
        names = tuple(self._layer_name(request, key) for key in options.float_layers)
        return Quantization(scheme, calibration, names, refusal)

    def _layer_name(self, request: ExportRequest, key: str) -> str:
        """Return a readable name of a layer that was left in float."""
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
    """Return the installed engines, with their versions, that open the file."""
    found: dict[str, str] = {}
    for backend in (one for one in for_suffix(draft.suffix) if one.installed()):
        try:
            with silenced():
                backend(draft, BackendOptions()).close()
        except BackendError:
            continue
        found[backend.name] = backend.version() or "unknown"
    return found
