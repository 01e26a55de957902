"""The comparison of ``toolkit verify``: which files, in which engines, on which images."""

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
from toolkit.engines import check_files, engines_for
from toolkit.export.export import read_exports
from toolkit.export.request import ExportOptions, build_request
from toolkit.parity import FAIL, PASS, Candidate, ParityReport, Reference
from toolkit.parity.budgets import Budgets
from toolkit.parity.compare import Compared, Comparison, compare_each
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

    Example:
        >>> VerifyOptions((Path("mnist-cnn.int8.tflite"),), limit=1000).backend
        'auto'
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

    Example::

        verification = prepare(trained, VerifyOptions())
        report, cells = verification.compare(), verification.matrix()
    """

    trained: TrainedModel
    files: tuple[Artifact, ...]
    options: VerifyOptions

    @cached_property
    def reference(self) -> Reference:
        """The Keras model as the gate uses it; its float graphs are made once for all checks."""
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

        If a file cannot take golden inputs, a note of the report states why.

        Example::

            report = prepare(trained, VerifyOptions(golden=True)).compare()
        """
        teacher, missing = self._teacher()
        comparison = Comparison.of(self.reference, self.images, self.labels, teacher, reporter)
        candidates = [one for file in self.files for one in self._candidates(file)]
        entries: list[ArtifactParity] = []
        first: dict[str, Compared] = {}  # of each file in the first engine that runs it
        for one in compare_each(comparison, candidates, reporter=reporter):
            entries.append(one.entry)
            if self.options.golden and one.outputs is not None:
                first.setdefault(one.entry.path, one)
        report = comparison.report(entries)
        failed = {entry.path for entry in entries if entry.verdict == FAIL}
        notes = [
            self._seal(file, first[str(file.path)], comparison.expected)
            for file in self.files
            if str(file.path) in first.keys() - failed
        ]
        classes = len(self.trained.labels)
        warning = chance_warning(report.reference_accuracy, classes, report.images)
        notes += [missing, warning]
        return replace(report, notes=(*report.notes, *filter(None, notes)))

    def matrix(self, reporter: Reporter = SILENT) -> tuple[MatrixCell, ...]:
        """Run each file in every engine, batch size and number of threads.

        Example::

            cells = prepare(trained, VerifyOptions()).matrix()
        """
        return engine_matrix(self.files, self.images, self.options.budgets.of, reporter)

    def self_check(self, reporter: Reporter = SILENT) -> tuple[ControlResult, ...]:
        """Break one file of each kind, the int8 one if there is one, and judge the results.

        Raises:
            InputError: another tool made a file.

        Example::

            results = prepare(trained, VerifyOptions()).self_check()
            assert all(result.caught is not False for result in results)
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
        """Run the network that the Keras model was distilled from, or return why it cannot be."""
        lineage = self.trained.lineage
        if not lineage:
            return None, None
        path, name = Path(lineage["teacher_model"]), lineage["teacher"]
        if not path.is_file() or (found := load_keras(path)).sha256 != lineage["teacher_sha256"]:
            return None, f"not compared with its teacher {name}: it is no longer {path}"
        limit = lineage["options"]["max_drop"]
        outputs = found.predict(self.trained.spec.apply(self.images))
        return Teacher(name, outputs, DEFAULT_DROP if limit is None else limit), None

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
    """Read the files, and determine the preprocessing of the Keras model.

    Raises:
        EdgeError: see :func:`find_files`.
    """
    files = find_files(trained.exports, options)
    return Verification(as_exported(trained, files, reporter), files, options)


def find_files(exports: Path, options: VerifyOptions) -> tuple[Artifact, ...]:
    """Read the files and check that they can be run as requested, without Keras.

    Args:
        exports: where they are, if the options name none.
        options: what to compare.

    Raises:
        InputError: there are no files.
        ArtifactError: a file is damaged.
        BackendError: the requested engine runs none of them.
        DeviceUnavailableError: a GPU is requested, and no engine of the files can use one here.
    """
    files = tuple(map(artifacts.read, options.paths)) or read_exports(exports)
    check_files(files, options.backend)
    if options.engine.device == "gpu":
        _require_gpu(files, options.engine.providers)
    return files


def verify(
    trained: TrainedModel, options: VerifyOptions, reporter: Reporter = SILENT
) -> ParityReport:
    """Compare model files with the Keras model on its test images.

    Raises:
        InputError: there are no files.
        ArtifactError: a file is damaged.

    Example::

        report = verify(resolve(None, DataOptions()), VerifyOptions())
        print(report.verdict)
    """
    return prepare(trained, options, reporter).compare(reporter)


def _require_gpu(files: tuple[Artifact, ...], providers: tuple[str, ...]) -> None:
    """Raise if no GPU can be used, before Keras runs on thousands of images."""
    engines = {engine.name: engine for file in files for engine in for_suffix(file.suffix)}
    able = [engine for engine in engines.values() if engine.uses_gpu and engine.installed()]
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

    kinds = ([file for file in files if file.suffix == suffix] for suffix in SUFFIXES)
    return [next(filter(calibrated, kind), kind[0]) for kind in kinds if kind]
