"""Gathers what ``toolkit verify`` compares: which files, in which engines, on which images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporters import formats
from runtime import artifact as artifacts
from runtime.backends import AUTO, BackendOptions, for_suffix
from runtime.errors import InputError
from toolkit.parity import Candidate, ParityReport, compare
from toolkit.progress import SILENT, Reporter
from toolkit.subject import in_order

if TYPE_CHECKING:
    from pathlib import Path

    from exporters.budget import ParityBudget
    from runtime.artifact import Artifact
    from toolkit.subject import Subject

ALL = "all"


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What to compare.

    Attributes:
        paths: model files; empty means all exports of the run.
        backend: an engine, ``auto`` (the preferred one), or ``all`` that are installed.
        engine: device and threads.
        limit: use only the first n test images.
        budget: the limits for all files; None takes those of each format.
    """

    paths: tuple[Path, ...] = ()
    backend: str = AUTO
    engine: BackendOptions = BackendOptions()
    limit: int | None = None
    budget: ParityBudget | None = None

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: fewer than one image.
        """
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit must be at least 1, not {self.limit}")


def verify(subject: Subject, options: VerifyOptions, reporter: Reporter = SILENT) -> ParityReport:
    """Compare model files with the Keras model on its test images.

    Raises:
        InputError: there are no files.
        ArtifactError: a file is damaged.
    """
    files = [artifacts.read(path) for path in options.paths] or _exports(subject)
    subject = _as_exported(subject, files, reporter)
    candidates = [c for file in files for c in _candidates(file, options)]
    images = subject.dataset.x_test[: options.limit]
    return compare(
        lambda pixels: subject.source.predict(subject.spec.apply(pixels)),
        candidates,
        images,
        subject.dataset.y_test[: options.limit],
        options.budget,
        reporter,
    )


def _as_exported(subject: Subject, files: list[Artifact], reporter: Reporter) -> Subject:
    """Run a bare ``.keras`` file as its exports say, where nobody says otherwise.

    Only files that were made from this very model count. A run keeps its own record, so
    that a model file with other preprocessing is found out.
    """
    if subject.stated is None:
        return subject
    for file in files:
        manifest = file.manifest
        if manifest and manifest.created.source_sha256 == subject.source.sha256:
            reporter.say(f"What you do not say of the Keras model is taken from {file.path.name}")
            labels = subject.stated.labels or manifest.labels
            return replace(
                subject,
                spec=subject.stated.spec(manifest.preprocess),
                labels=labels,
                dataset=in_order(subject.dataset, labels, reporter),
            )
    return subject


def _exports(subject: Subject) -> list[Artifact]:
    """Read the files in the run's export folder, in the order of the formats."""
    suffixes = (".tflite", ".onnx")
    found = sorted(p for p in subject.exports.glob("*") if p.suffix in suffixes and p.is_file())
    if not found:
        raise InputError(f"no model files in {subject.exports}; make some: toolkit export --all")
    order = list(formats.registry())
    return sorted((artifacts.read(path) for path in found), key=lambda file: _rank(file, order))


def _rank(file: Artifact, order: list[str]) -> int:
    name = file.manifest.format if file.manifest else ""
    return order.index(name) if name in order else len(order)


def _candidates(file: Artifact, options: VerifyOptions) -> list[Candidate]:
    if options.backend != ALL:
        return [Candidate(file, options.backend, options.engine)]
    return [
        Candidate(file, backend.name, options.engine)
        for backend in for_suffix(file.suffix)
        if backend.installed()
    ] or [Candidate(file, AUTO, options.engine)]
