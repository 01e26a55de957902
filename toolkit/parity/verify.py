"""Gathers what ``toolkit verify`` compares: which files, in which engines, on which images."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from exporters import formats
from exporters.keras_model.source import load_keras
from runtime.backends import AUTO, BackendOptions, for_suffix
from runtime.errors import ArtifactError, DeviceUnavailableError, InputError, ParityError
from runtime.modelfile import artifact as artifacts
from toolkit.engines import engines_for
from toolkit.export.export import read_exports
from toolkit.export.request import ExportOptions, build_request
from toolkit.parity import FAIL, PASS, Candidate, ParityReport, Reference
from toolkit.parity.budgets import Budgets
from toolkit.parity.compare import Compared, Questions, compare_each
from toolkit.parity.controls import Base, ControlResult, self_check
from toolkit.parity.golden import add_golden
from toolkit.parity.matrix import MatrixCell, engine_matrix
from toolkit.parity.teacher import DEFAULT_DROP, Teacher
from toolkit.parity.words import chance_warning
from toolkit.progress import SILENT, Reporter
from toolkit.runs.run import SUFFIXES
from toolkit.trained_model import as_exported

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from exporters.budget import ParityBudget
    from runtime.modelfile.artifact import Artifact
    from toolkit.parity import ArtifactParity
    from toolkit.trained_model import TrainedModel

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
        trained: the Keras model with its data.
        files: the model files.
        options: what to compare.
    """

    trained: TrainedModel
    files: tuple[Artifact, ...]
    options: VerifyOptions

    @cached_property
    def reference(self) -> Reference:
        """The Keras model as the gate sees it; its float graphs are made once for all checks."""
        return Reference.of(self.trained)

    @property
    def images(self) -> NDArray[np.uint8]:
        """The test images, uint8 (n, height, width, channels)."""
        return self.trained.dataset.x_test[: self.options.limit]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Their classes, int64 (n,)."""
        return self.trained.dataset.y_test[: self.options.limit]

    def compare(self, reporter: Reporter = SILENT) -> ParityReport:
        """Judge each file in each engine; with ``golden``, seal those that pass.

        Where a file cannot take golden inputs, a note of the report says why.
        """
        teacher, missing = self._teacher()
        questions = Questions.of(self.reference, self.images, self.labels, teacher, reporter)
        candidates = [one for file in self.files for one in self._candidates(file)]
        entries: list[ArtifactParity] = []
        answered: dict[str, Compared] = {}  # of each file in the first engine that runs it
        for one in compare_each(questions, candidates, reporter=reporter):
            entries.append(one.entry)
            if self.options.golden and one.outputs is not None:
                answered.setdefault(one.entry.path, one)
        report = questions.report(entries)
        failed = {entry.path for entry in entries if entry.verdict == FAIL}
        notes = [
            self._seal(file, answered[str(file.path)], questions.expected)
            for file in self.files
            if str(file.path) in answered.keys() - failed
        ]
        classes = len(self.trained.labels)
        warning = chance_warning(report.reference_accuracy, classes, report.images)
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
        request = build_request(self.trained, ExportOptions(()), calibrate=True)
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
        lineage = self.trained.lineage
        if not lineage:
            return None, None
        path, name = Path(lineage["teacher_model"]), lineage["teacher"]
        if not path.is_file() or (found := load_keras(path)).sha256 != lineage["teacher_sha256"]:
            return None, f"not compared with its teacher {name}: it is no longer {path}"
        limit = lineage["options"]["max_drop"]
        answers = found.predict(self.trained.spec.apply(self.images))
        return Teacher(name, answers, DEFAULT_DROP if limit is None else limit), None

    def _candidates(self, file: Artifact) -> list[Candidate]:
        options, budget = self.options, self._budget(file)
        on_gpu = options.budgets.on_gpu(file.format, options.engine.precision)
        names = engines_for(file, options.backend)
        return [Candidate(file, name, options.engine, budget, on_gpu) for name in names]

    def _budget(self, file: Artifact) -> ParityBudget:
        return self.options.budgets.of(file.format)

    def _seal(self, file: Artifact, one: Compared, expected: NDArray[np.float32]) -> str | None:
        """Put golden inputs into a file that passed; return why it could not be done."""
        found, limits, outputs = one.entry.metrics, one.entry.budget, one.outputs
        if one.entry.verdict != PASS or found is None or limits is None or outputs is None:
            return None
        dataset, labels = self.trained.dataset.name, self.trained.labels
        measured = found.as_accuracy(f"{dataset} test images")
        try:
            add_golden(file, outputs, expected, self.images, self.labels, labels, measured, limits)
        except (ArtifactError, InputError, ParityError) as error:
            return f"no golden inputs in {file.path.name}: {error}"
        except OSError as error:
            return f"no golden inputs in {file.path}: it cannot be written ({error.strerror})"
        return None


def prepare(
    trained: TrainedModel, options: VerifyOptions, reporter: Reporter = SILENT
) -> Verification:
    """Read the files and find out how the Keras model wants its images.

    Raises:
        InputError: there are no files.
        ArtifactError: a file is damaged.
        DeviceUnavailableError: a GPU is asked for, and no engine of the files can use one here.
    """
    files = tuple(artifacts.read(path) for path in options.paths) or read_exports(trained.exports)
    if options.engine.device == "gpu":
        _require_gpu(files, options.engine.providers)
    return Verification(as_exported(trained, files, reporter), files, options)


def verify(
    trained: TrainedModel, options: VerifyOptions, reporter: Reporter = SILENT
) -> ParityReport:
    """Compare model files with the Keras model on its test images.

    Raises:
        InputError: there are no files.
        ArtifactError: a file is damaged.
    """
    return prepare(trained, options, reporter).compare(reporter)


def _require_gpu(files: tuple[Artifact, ...], providers: tuple[str, ...]) -> None:
    """Tell of a GPU that cannot be used before Keras answers thousands of images."""
    engines = {engine.name: engine for file in files for engine in for_suffix(file.suffix)}
    able = [e for e in engines.values() if e.uses_gpu and e.installed()]
    obstacles = [engine.gpu_obstacle(providers) for engine in able]
    if all(obstacles):
        reason = "; ".join(obstacles) or "no engine that uses one is installed"
        raise DeviceUnavailableError(f"there is no GPU support here: {reason}; use --device cpu")


def _one_of_each_kind(files: tuple[Artifact, ...]) -> list[Artifact]:
    """Choose a file for each suffix, preferably one that needed calibration."""
    registry = formats.registry()

    def calibrated(file: Artifact) -> bool:
        exporter = registry.get(file.format)
        return exporter is not None and exporter.needs_calibration

    kinds = ([f for f in files if f.suffix == suffix] for suffix in SUFFIXES)
    return [next(filter(calibrated, kind), kind[0]) for kind in kinds if kind]
