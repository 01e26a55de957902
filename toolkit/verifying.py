"""Gathers what ``toolkit verify`` compares: which files, in which engines, on which images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from exporters import formats
from exporters.source import load_keras
from runtime import artifact as artifacts
from runtime.backends import AUTO, BackendOptions, for_suffix
from runtime.errors import ArtifactError, DeviceUnavailableError, InputError, ParityError
from toolkit import exporting
from toolkit.engines import check_files, engines_for
from toolkit.golden import add_golden
from toolkit.parity import FAIL, PASS, Candidate, ParityReport, Reference, compare
from toolkit.parity.budgets import Budgets
from toolkit.parity.controls import Base, ControlResult, self_check
from toolkit.parity.matrix import MatrixCell, engine_matrix
from toolkit.parity.teacher import DEFAULT_DROP, Teacher
from toolkit.progress import SILENT, Reporter
from toolkit.subject import in_order

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from runtime.artifact import Artifact
    from toolkit.parity import ArtifactParity
    from toolkit.subject import Subject

_CONTROL_IMAGES = 1000


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What to compare.

    Attributes:
        paths: model files; empty means all exports of the run.
        backend: an engine, ``auto`` (the preferred one), or ``all`` that are installed.
        engine: device and threads.
        limit: use only the first n test images.
        budgets: the limits.
        golden: put golden inputs into the files that pass.
    """

    paths: tuple[Path, ...] = ()
    backend: str = AUTO
    engine: BackendOptions = BackendOptions()
    limit: int | None = None
    budgets: Budgets = field(default_factory=Budgets)
    golden: bool = False

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: fewer than one image.
        """
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit must be at least 1, not {self.limit}")


@dataclass(frozen=True, eq=False)
class Verification:
    """Files, the Keras model and the images on which they are compared.

    Attributes:
        subject: the Keras model with its data.
        files: the model files.
        options: what to compare.
    """

    subject: Subject
    files: tuple[Artifact, ...]
    options: VerifyOptions

    @cached_property
    def reference(self) -> Reference:
        """The Keras model as the gate sees it; its float graphs are made once for all checks."""
        return Reference.of(self.subject)

    @property
    def images(self) -> NDArray[np.uint8]:
        """The test images, uint8 (n, height, width, channels)."""
        return self.subject.dataset.x_test[: self.options.limit]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Their classes, int64 (n,)."""
        return self.subject.dataset.y_test[: self.options.limit]

    def compare(self, reporter: Reporter = SILENT) -> ParityReport:
        """Judge each file in each engine; with ``golden``, seal those that pass.

        Where a file cannot take golden inputs, a note of the report says why.
        """
        answers: dict[str, tuple[ArtifactParity, NDArray[np.float32], NDArray[np.float32]]] = {}

        def keep(
            entry: ArtifactParity, given: NDArray[np.float32], expected: NDArray[np.float32]
        ) -> None:
            answers.setdefault(entry.path, (entry, given, expected))

        teacher, missing = self._teacher()
        report = compare(
            self.reference,
            [c for file in self.files for c in self._candidates(file)],
            self.images,
            self.labels,
            reporter=reporter,
            observe=keep if self.options.golden else None,
            teacher=teacher,
        )
        failed = {entry.path for entry in report.artifacts if entry.verdict == FAIL}
        notes = [
            self._seal(file, *answers[str(file.path)])
            for file in self.files
            if str(file.path) in answers.keys() - failed
        ]
        classes = len(self.subject.labels)
        warning = exporting.chance_warning(report.reference_accuracy, classes, report.images)
        notes += [missing, warning]
        return replace(report, notes=(*report.notes, *filter(None, notes)))

    def matrix(self, reporter: Reporter = SILENT) -> tuple[MatrixCell, ...]:
        """Run each file in every engine, batch size and number of threads."""
        return engine_matrix(self.files, self.images, self.options.budgets.of, reporter)

    def self_check(self, reporter: Reporter = SILENT) -> tuple[ControlResult, ...]:
        """Break one file of each kind, the int8 one if there is one, and judge each.

        Raises:
            InputError: another tool made a file.
        """
        request = exporting.build_request(self.subject, exporting.ExportOptions(()), calibrate=True)
        images, labels = self.images[:_CONTROL_IMAGES], self.labels[:_CONTROL_IMAGES]
        return tuple(
            result
            for file in _one_of_each_kind(self.files)
            for result in self_check(
                Base(file, request, self._budget(file)), self.reference, images, labels, reporter
            )
        )

    def _teacher(self) -> tuple[Teacher | None, str | None]:
        """Ask the network that the Keras model learned from; or say why it cannot be asked."""
        lineage = self.subject.lineage
        if not lineage:
            return None, None
        path, name = Path(lineage["teacher_model"]), lineage["teacher"]
        if not path.is_file() or (found := load_keras(path)).sha256 != lineage["teacher_sha256"]:
            return None, f"not compared with its teacher {name}: it is no longer {path}"
        limit = lineage["options"]["max_drop"]
        answers = found.predict(self.subject.spec.apply(self.images))
        return Teacher(name, answers, DEFAULT_DROP if limit is None else limit), None

    def _candidates(self, file: Artifact) -> list[Candidate]:
        options, budget = self.options, self._budget(file)
        on_gpu = options.budgets.on_gpu(file.format, options.engine.precision)
        names = engines_for(file, options.backend)
        return [Candidate(file, name, options.engine, budget, on_gpu) for name in names]

    def _budget(self, file: Artifact) -> ParityBudget:
        return self.options.budgets.of(file.format)

    def _seal(
        self,
        file: Artifact,
        entry: ArtifactParity,
        answers: NDArray[np.float32],
        expected: NDArray[np.float32],
    ) -> str | None:
        found, limits = entry.metrics, entry.budget
        if entry.verdict != PASS or found is None or limits is None:
            return None
        dataset, labels = self.subject.dataset.name, self.subject.labels
        measured = found.as_accuracy(f"{dataset} test images")
        try:
            add_golden(file, answers, expected, self.images, self.labels, labels, measured, limits)
        except (ArtifactError, InputError, ParityError) as error:
            return f"no golden inputs in {file.path.name}: {error}"
        except OSError as error:
            return f"no golden inputs in {file.path}: it cannot be written ({error.strerror})"
        return None


def prepare(subject: Subject, options: VerifyOptions, reporter: Reporter = SILENT) -> Verification:
    """Read the files and find out how the Keras model wants its images.

    Raises:
        EdgeError: see :func:`find_files`.
    """
    files = find_files(subject.exports, options)
    return Verification(as_exported(subject, files, reporter), files, options)


def find_files(exports: Path, options: VerifyOptions) -> tuple[Artifact, ...]:
    """Read the files, and see that they can be run as asked; Keras is not needed for that.

    Args:
        exports: where they are, if the options name none.
        options: what to compare.

    Raises:
        InputError: there are no files.
        ArtifactError: a file is damaged.
        BackendError: the engine that is asked for runs none of them.
        DeviceUnavailableError: a GPU is asked for, and no engine of the files can use one here.
    """
    files = tuple(map(artifacts.read, options.paths)) or exporting.read_exports(exports)
    check_files(files, options.backend)
    if options.engine.device == "gpu":
        _require_gpu(files, options.engine.providers)
    return files


def verify(subject: Subject, options: VerifyOptions, reporter: Reporter = SILENT) -> ParityReport:
    """Compare model files with the Keras model on its test images.

    Raises:
        InputError: there are no files.
        ArtifactError: a file is damaged.
    """
    return prepare(subject, options, reporter).compare(reporter)


def _require_gpu(files: tuple[Artifact, ...], providers: tuple[str, ...]) -> None:
    """Tell of a GPU that cannot be used before Keras answers thousands of images."""
    engines = {engine.name: engine for file in files for engine in for_suffix(file.suffix)}
    able = [e for e in engines.values() if e.uses_gpu and e.installed()]
    obstacles = [engine.gpu_obstacle(providers) for engine in able]
    if all(obstacles):
        reason = "; ".join(obstacles) or "no engine that uses one is installed"
        raise DeviceUnavailableError(f"there is no GPU support here: {reason}; use --device cpu")


def as_exported(subject: Subject, files: tuple[Artifact, ...], reporter: Reporter) -> Subject:
    """Run a bare ``.keras`` file as its exports say, where nobody says otherwise.

    Only files that were made from this very model count. A run keeps its own record, so
    that a model file with other preprocessing is found out.

    Args:
        subject: the Keras model with its data.
        files: model files.
        reporter: told where labels and preprocessing come from.

    Raises:
        InputError: the files do not agree.
    """
    if subject.stated is None:
        return subject
    own = [
        (file.path.name, found)
        for file in files
        if (found := file.manifest) and found.created.source_sha256 == subject.source.sha256
    ]
    if not own:
        return subject
    name, first = own[0]
    labels = subject.stated.labels or first.labels
    specs = {subject.stated.spec(found.preprocess) for _, found in own}
    if len(specs) > 1 or any((subject.stated.labels or m.labels) != labels for _, m in own):
        raise InputError(
            "the files do not agree on labels or preprocessing; say what is right for the Keras "
            "model: --labels, --scale, --mean, --std, --fit, --polarity"
        )
    spec = specs.pop()
    if (spec, labels) == (subject.spec, subject.labels):
        return subject
    reporter.say(f"What you do not say of the Keras model is taken from {name}")
    return replace(
        subject,
        spec=spec,
        labels=labels,
        dataset=in_order(subject.dataset, labels, reporter),
    )


def _one_of_each_kind(files: tuple[Artifact, ...]) -> list[Artifact]:
    """Choose a file for each suffix, preferably one that needed calibration."""
    registry = formats.registry()

    def calibrated(file: Artifact) -> bool:
        exporter = registry.get(file.format)
        return exporter is not None and exporter.needs_calibration

    kinds = ([f for f in files if f.suffix == suffix] for suffix in exporting.SUFFIXES)
    return [next(filter(calibrated, kind), kind[0]) for kind in kinds if kind]
