"""What an exporter is: one format, from request to a checked file on disk."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from exporters.check import Checked, CheckImages, compare
from exporters.layer_names import short_name
from exporters.quantization import QuantizationOptions
from runtime import artifact as artifacts
from runtime.artifact import Artifact
from runtime.backends import BackendOptions, for_suffix
from runtime.errors import (
    BackendError,
    CalibrationError,
    ExportError,
    InputError,
    ParityError,
)
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

    import numpy as np
    from numpy.typing import NDArray

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
        out: the folder to write to.
        versions: of the packages at work, recorded in the file.
        quantization: choices that a format may leave; one that cannot honour them refuses.
        force: write a file that fails the check all the same, and record why it failed.
        lineage: see :class:`Created`.
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
    quantization: QuantizationOptions = field(default_factory=QuantizationOptions)
    force: bool = False
    lineage: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that the parts fit each other.

        Raises:
            InputError: names the first thing that does not fit.
        """
        require_name(self.name)
        self.source.require(self.spec, self.labels)

    @cached_property
    def reference(self) -> NDArray[np.float32]:
        """What Keras answers to the check images, (n, classes); asked once for all formats."""
        return self.source.predict(self.check.batch)

    def require_calibration(self, format_name: str) -> CalibrationSet:
        """Return the calibration images.

        Raises:
            CalibrationError: there are none.
        """
        if self.calibration is None:
            raise CalibrationError(f"format {format_name} needs calibration images: --data PATH")
        return self.calibration


def require_name(name: str) -> None:
    """See that files can carry the name of a model.

    Raises:
        InputError: it holds other characters than letters, digits, ``.``, ``_`` and ``-``.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' cannot be a file name: use letters, digits, . _ -")


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
        self.require(request.quantization)
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

    @classmethod
    def require(cls, options: QuantizationOptions) -> None:
        """Refuse options that the format cannot honour.

        Raises:
            ExportError: names the option and what the format takes.
        """
        if options.method != QuantizationOptions().method and options.method not in cls.methods:
            takes = f"takes {', '.join(cls.methods)}" if cls.methods else "is not calibrated"
            raise ExportError(
                f"format {cls.name} {takes}: no --calibration-method {options.method}"
            )
        if not options.per_channel and not cls.per_tensor:
            raise ExportError(f"format {cls.name} cannot share scales: no --per-tensor")
        if options.float_layers and not cls.mixed:
            raise ExportError(f"format {cls.name} cannot leave single layers in float")

    @abstractmethod
    def _convert(self, request: ExportRequest) -> bytes:
        """Return the engine's file, without manifest."""

    @abstractmethod
    def _operators(self, payload: bytes) -> dict[str, int]:
        """Return the operators with their versions, or the operator set."""

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
