"""Exports a model to one or more formats."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from exporters import formats
from exporters.base import Exporter, ExportRequest
from exporters.calibration import (
    CalibrationOptions,
    CalibrationSet,
    TrainingImages,
    draw,
    stratified_sample,
)
from exporters.check import CheckImages
from exporters.quantization import QuantizationOptions
from runtime import artifact as artifacts
from runtime.errors import ArtifactError, ExportError, InputError, ParityError
from runtime.registry import pick
from toolkit.progress import SILENT, Reporter
from toolkit.versions import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from runtime.artifact import Artifact
    from runtime.errors import EdgeError
    from toolkit.attempts import Mending
    from toolkit.subject import Subject

SUFFIXES = (".tflite", ".onnx")
DEFAULT_FORMAT = "tflite-int8"
_CHECK_IMAGES = 256
_LINEAGE = ("teacher", "teacher_sha256")
_FEWEST = 10  # images below which an accuracy says nothing
_HARDLY_BETTER = 0.2  # share of the way from chance to perfect


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to write.

    Attributes:
        formats: format names; empty means all.
        out: folder; None means that of the run, or the current one.
        calibration: how calibration images are drawn.
        quantization: choices that some formats leave; the others refuse them.
        force: write a file that fails the check all the same.
        max_drop: highest loss of accuracy on the validation images, in points; settings
            are searched until it holds. None searches nothing.
    """

    formats: tuple[str, ...]
    out: Path | None = None
    calibration: CalibrationOptions = CalibrationOptions()
    quantization: QuantizationOptions = field(default_factory=QuantizationOptions)
    force: bool = False
    max_drop: float | None = None

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: the drop is out of its range, or is to be forced.
        """
        if self.max_drop is None:
            return
        if not 0.0 <= self.max_drop <= 100.0:
            raise InputError(
                f"--max-drop is in points of accuracy, 0…100, not {self.max_drop:g}; "
                "0.5 is half a point"
            )
        if self.force:
            raise InputError("--force writes what fails, --max-drop only what passes: choose one")


def export(
    subject: Subject,
    options: ExportOptions,
    reporter: Reporter = SILENT,
    on_failure: Callable[[str, EdgeError], None] | None = None,
    on_mended: Callable[[Mending], None] | None = None,
) -> Iterator[Artifact]:
    """Write one artifact a format.

    Args:
        subject: the model with its data.
        options: what to write.
        reporter: told what is at work.
        on_failure: takes the format and the error of a conversion that failed, and the
            other formats go on; None raises the first error.
        on_mended: takes what the search did, before each file that it led to.

    Yields:
        Each file once it is on disk.

    Raises:
        UnknownNameError: no such format; nothing has been written then.
        EdgeError: see :meth:`Exporter.export`; files yielded before stay.
    """
    exporters = select(options.formats)
    write = _mender(subject, options, reporter, on_mended) or _writer(subject, options, exporters)
    with reporter.task("exporting", len(exporters)) as tick:
        for exporter in exporters:
            try:
                yield write(exporter())
            except (ExportError, ParityError) as error:
                if on_failure is None:
                    raise
                on_failure(exporter.name, error)
            tick(1)


def select(names: Sequence[str]) -> list[type[Exporter]]:
    """Return the exporters called so, or all if no name is given.

    Raises:
        UnknownNameError: no format has one of the names.
    """
    registry = formats.registry()
    if not names:
        return list(registry.values())
    return [pick(registry, "format", name) for name in dict.fromkeys(names)]


def check_formats(options: ExportOptions) -> None:
    """Refuse settings that none of the formats can honour; where one can, it is exported.

    Raises:
        UnknownNameError: no such format.
        ExportError: names the setting and what the formats take.
    """
    refusals = []
    for exporter in select(options.formats):
        try:
            exporter.require(options.quantization)
        except ExportError as error:
            refusals.append(str(error))
        else:
            return
    raise ExportError("; ".join(refusals))


def export_paths(folder: Path) -> list[Path]:
    """Return the model files in an export folder, sorted; none if there is no such folder."""
    return sorted(p for p in folder.glob("*") if p.suffix in SUFFIXES and p.is_file())


def with_golden(folder: Path, name: str, exporters: Iterable[type[Exporter]]) -> frozenset[Path]:
    """Return which files hold golden inputs; a file that cannot be read holds none.

    Args:
        folder: where files are written.
        name: of the model.
        exporters: what writes them.
    """
    found = set()
    for exporter in exporters:
        path = folder / exporter.file_name(name)
        with suppress(ArtifactError, InputError):
            manifest = artifacts.read(path).manifest
            if manifest and manifest.golden:
                found.add(path)
    return frozenset(found)


def read_exports(folder: Path) -> tuple[Artifact, ...]:
    """Read the model files in the export folder of a run, in the order of the formats.

    Raises:
        InputError: there are none.
        ArtifactError: one is damaged.
    """
    found = export_paths(folder)
    if not found:
        raise InputError(f"no model files in {folder}; make some: toolkit export --all")
    order = {name: rank for rank, name in enumerate(formats.registry())}
    files = [artifacts.read(path) for path in found]
    return tuple(sorted(files, key=lambda file: order.get(file.format, len(order))))


def keras_warning(artifact: Artifact) -> str | None:
    """Return a remark if Keras itself answers hardly better than chance, else None.

    The usual cause is preprocessing or labels that are not those of the training.
    """
    accuracy = artifact.manifest.accuracy if artifact.manifest else None
    if artifact.manifest is None or accuracy is None:
        return None
    classes = len(artifact.manifest.labels)
    return chance_warning(accuracy.reference, classes, accuracy.images)


def chance_warning(accuracy: float, classes: int, images: int) -> str | None:
    """Return a remark if Keras's accuracy, 0…1, is hardly better than chance, else None."""
    chance = 1 / classes
    better = (accuracy - chance) / (1 - chance)  # 0 is chance, 1 is perfect
    if images < _FEWEST or better > _HARDLY_BETTER:
        return None
    return (
        f"the Keras model itself is right on only {accuracy:.1%} of the images: its "
        "preprocessing or labels are probably others (--scale, --mean, --std, --labels)"
    )


def build_request(subject: Subject, options: ExportOptions, *, calibrate: bool) -> ExportRequest:
    """Return what an exporter needs of a model.

    Args:
        subject: the model with its data.
        options: what to write.
        calibrate: whether to draw calibration images.
    """
    return ExportRequest(
        source=subject.source,
        name=subject.name,
        labels=subject.labels,
        spec=subject.spec,
        check=_check_images(subject),
        calibration=draw_calibration(subject, options.calibration) if calibrate else None,
        dataset=subject.dataset.name,
        out=options.out or subject.exports,
        versions=versions(),
        quantization=options.quantization,
        force=options.force,
        lineage={key: subject.lineage[key] for key in _LINEAGE if key in subject.lineage},
    )


def draw_calibration(subject: Subject, options: CalibrationOptions) -> CalibrationSet:
    """Draw calibration images out of the training part.

    Raises:
        CalibrationError: there is nothing to draw from, or all images are equal.
    """
    dataset = subject.dataset
    source = TrainingImages(dataset.x_train, dataset.y_train, subject.training, dataset.name)
    return draw(source, subject.spec, options)


def _writer(
    subject: Subject, options: ExportOptions, exporters: Sequence[type[Exporter]]
) -> Callable[[Exporter], Artifact]:
    needed = any(exporter.needs_calibration for exporter in exporters)
    request = build_request(subject, options, calibrate=needed)
    return lambda exporter: exporter.export(request)


def _mender(
    subject: Subject,
    options: ExportOptions,
    reporter: Reporter,
    on_mended: Callable[[Mending], None] | None,
) -> Callable[[Exporter], Artifact] | None:
    if options.max_drop is None:
        return None
    from toolkit.mending import Mender

    mender = Mender(subject, options, reporter)

    def write(exporter: Exporter) -> Artifact:
        artifact, record = mender.mend(exporter)
        if on_mended is not None:
            on_mended(record)
        return artifact

    return write


def _check_images(subject: Subject) -> CheckImages:
    """Take test images, every class in its share, in mixed order."""
    dataset = subject.dataset
    everything = np.arange(len(dataset.y_test))
    options = CalibrationOptions(samples=_CHECK_IMAGES)
    chosen = np.random.default_rng(0).permutation(
        stratified_sample(dataset.y_test, everything, options)
    )
    return CheckImages(
        subject.spec.apply(dataset.x_test[chosen]),
        dataset.y_test[chosen],
        f"{dataset.name} test images",
    )
