"""The export of a model to one or more formats."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporters import formats
from exporters.base import Exporter
from runtime.errors import ArtifactError, EdgeError, ExportError, InputError, ParityError
from runtime.modelfile import artifact as artifacts
from runtime.registry import pick
from toolkit.export.request import ExportOptions, build_request
from toolkit.progress import SILENT, Reporter
from toolkit.runs.run import export_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from runtime.modelfile.artifact import Artifact
    from toolkit.export.attempts import SearchRecord
    from toolkit.trained_model import TrainedModel

DEFAULT_FORMAT = "tflite-int8"


@dataclass(frozen=True, slots=True)
class Exported:
    """The result for one format.

    Attributes:
        format: its name.
        outcome: the file, once it is on disk, or why there is none.
        search: the settings that were tried for it; None without a search.

    Example:
        >>> result = Exported("onnx", ExportError("no converter for Lambda"))
        >>> str(result.error)
        'no converter for Lambda'
    """

    format: str
    outcome: Artifact | EdgeError
    search: SearchRecord | None = None

    @property
    def error(self) -> EdgeError | None:
        """Why there is no file; None if there is one."""
        return self.outcome if isinstance(self.outcome, EdgeError) else None

    @property
    def artifact(self) -> Artifact:
        """The file.

        Raises:
            EdgeError: there is none.
        """
        if isinstance(self.outcome, EdgeError):
            raise self.outcome
        return self.outcome


def export(
    trained: TrainedModel, options: ExportOptions, reporter: Reporter = SILENT
) -> Iterator[Exported]:
    """Write one artifact per format.

    Args:
        trained: the model with its data.
        options: what to write.
        reporter: shows progress.

    Yields:
        The result for each format; one that fails does not stop the others.

    Raises:
        UnknownNameError: no such format; nothing has been written then.
        EdgeError: no format can be written; see :func:`build_request`.

    Example::

        for one in export(trained, ExportOptions(("tflite-int8", "onnx"))):
            print(one.format, one.error or one.artifact.path)
    """
    exporters = select(options.formats)
    needed = any(exporter.needs_calibration for exporter in exporters)
    request = build_request(trained, options, calibrate=needed)
    yield from each(exporters, lambda one: Exported(one.name, one.export(request)), reporter)


def each(
    exporters: Sequence[type[Exporter]],
    write: Callable[[Exporter], Exported],
    reporter: Reporter,
) -> Iterator[Exported]:
    """Write one format after the other.

    Args:
        exporters: of the formats.
        write: writes one file; a file that fails its check or a model that cannot be
            converted is yielded as an error.
        reporter: shows progress.

    Example::

        results = each(select(()), lambda one: Exported(one.name, one.export(request)), SILENT)
    """
    with reporter.task("exporting", len(exporters)) as tick:
        for exporter in exporters:
            try:
                found = write(exporter())
            except (ExportError, ParityError) as error:
                found = Exported(exporter.name, error)
            yield found
            tick(1)


def select(names: Sequence[str]) -> list[type[Exporter]]:
    """Return the exporters with these names, or all if no name is given.

    Raises:
        UnknownNameError: no format has one of the names.

    Example:
        >>> [exporter.name for exporter in select(("onnx", "tflite-int8", "onnx"))]
        ['onnx', 'tflite-int8']
    """
    registry = formats.registry()
    if not names:
        return list(registry.values())
    return [pick(registry, "format", name) for name in dict.fromkeys(names)]


def check_formats(options: ExportOptions) -> None:
    """Check that at least one of the formats supports the settings.

    Raises:
        UnknownNameError: no such format.
        ExportError: none does; names the setting and what the formats take.
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


def with_golden(folder: Path, name: str, exporters: Iterable[type[Exporter]]) -> frozenset[Path]:
    """Return which files contain golden inputs; a file that cannot be read contains none.

    Args:
        folder: where files are written.
        name: of the model.
        exporters: of the formats.

    Example:
        >>> from pathlib import Path
        >>> with_golden(Path("exports"), "mnist-cnn", select(()))  # nothing is there yet
        frozenset()
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

    Example::

        sizes = {file.format: len(file.data) for file in read_exports(Path("runs/1/exports"))}
    """
    found = export_paths(folder)
    if not found:
        raise InputError(f"no model files in {folder}; make some: toolkit export --all")
    order = {name: rank for rank, name in enumerate(formats.registry())}
    files = [artifacts.read(path) for path in found]
    return tuple(sorted(files, key=lambda file: order.get(file.format, len(order))))
