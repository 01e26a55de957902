"""Evaluates model files and the Keras model that they were made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.backends import AUTO
from runtime.errors import BackendError, InputError, MissingDependencyError
from runtime.model import open_silently
from runtime.modelfile import artifact as artifacts
from runtime.session import LoadOptions
from toolkit.evaluation.metrics import evaluate
from toolkit.parity.compare import outputs_in_order
from toolkit.parity.reference import Reference
from toolkit.progress import SILENT, Reporter
from toolkit.runs.run import CONFIG, MODEL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from runtime.model import Classifier
    from runtime.modelfile.artifact import Artifact
    from toolkit.evaluation.metrics import Evaluation
    from toolkit.trained_model import TrainedModel

MEASURES = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True, eq=False)
class FileEvaluation:
    """Metrics of a model file, and of Keras on the same images.

    Attributes:
        format: of the file.
        path: of the file.
        backend: the engine that ran it.
        evaluation: of the file's predictions.
        reference: of the Keras model's predictions.
        agreement: share of images with Keras's label, 0…1.
        notes: remarks on the comparison.

    Example::

        for file in evaluate_files(trained, files).files:
            print(file.path.name, file.evaluation.accuracy, file.accuracy_delta)
    """

    format: str
    path: Path
    backend: str
    evaluation: Evaluation
    reference: Evaluation
    agreement: float
    notes: tuple[str, ...] = ()

    @property
    def accuracy_delta(self) -> float:
        """Accuracy of the file minus that of Keras, -1…1."""
        return self.evaluation.accuracy - self.reference.accuracy

    @property
    def difference(self) -> dict[str, dict[str, float]]:
        """Precision, recall and F1 of each class: the file's minus Keras's, -1…1."""
        ours, theirs = self.evaluation.per_class, self.reference.per_class
        return {
            label: {name: row[name] - theirs[label][name] for name in MEASURES}
            for label, row in ours.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, without those of the Keras model."""
        return {
            "format": self.format,
            "path": str(self.path),
            "backend": self.backend,
            **self.evaluation.to_json(),
            "accuracy_delta": self.accuracy_delta,
            "agreement": self.agreement,
            "difference": self.difference,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The Keras model and its files on the same images.

    Attributes:
        reference: of the Keras model.
        files: one entry per file, in the order of the arguments.
        refused: files that no engine ran, with the reason, as text.

    Example::

        comparison = evaluate_files(trained, read_files([Path("model.int8.tflite")]))
        print(comparison.reference.accuracy, comparison.refused)
    """

    reference: Evaluation
    files: tuple[FileEvaluation, ...] = ()
    refused: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values: those of the Keras model, and ``artifacts``."""
        record = self.reference.to_json()
        return record | {
            "artifacts": [file.to_json() for file in self.files],
            "refused": list(self.refused),
        }


def home(file: Path) -> Path | None:
    """Return the run folder whose ``exports/`` contains a model file, or None.

    Example:
        >>> from pathlib import Path
        >>> home(Path("somewhere/model.tflite")) is None
        True
    """
    folder = file.resolve().parent.parent
    own = file.resolve().parent.name == "exports"
    return folder if own and all((folder / part).is_file() for part in (MODEL, CONFIG)) else None


def evaluate_keras(trained: TrainedModel) -> Evaluation:
    """Evaluate a Keras model on all its test images.

    Example::

        trained = resolve(Path("runs/latest"), DataOptions())
        print(evaluate_keras(trained).report)
    """
    images, truth = _test_images(trained, None)
    return evaluate(Reference.of(trained).predict_images(images), truth, trained.labels)


def evaluate_files(
    trained: TrainedModel,
    files: Sequence[Artifact],
    limit: int | None = None,
    backend: str = AUTO,
    reporter: Reporter = SILENT,
) -> Comparison:
    """Evaluate model files, each in its engine, and the Keras model, on test images.

    Args:
        trained: the Keras model with its data.
        files: the model files.
        limit: use only the first n test images.
        backend: the engine; ``auto`` takes the preferred one for each file.
        reporter: receives the progress.

    Raises:
        InputError: fewer than one image, or a file for other images or classes.
        BackendError: no engine runs any of the files.
        MissingDependencyError: an engine or scikit-learn is not installed.

    Example::

        files = read_files(run.exports.glob("*.tflite"))
        comparison = evaluate_files(resolve(run.path, DataOptions()), files, limit=1000)
    """
    images, truth = _test_images(trained, limit)
    reference = Reference.of(trained)
    expected = reference.predict_images(images, reporter)
    keras = evaluate(expected, truth, trained.labels)
    found: list[FileEvaluation] = []
    refused: list[tuple[str, BackendError]] = []
    for file in files:
        try:
            opened = open_silently(file, backend, options=_load_options(file, trained))
            with opened:
                _require(opened, trained)
                outputs = outputs_in_order(opened, reference, images, reporter)
        except MissingDependencyError:
            raise
        except BackendError as error:
            refused.append((f"{file.path.name}: {error}", error))
            continue
        same = float((outputs.argmax(axis=1) == expected.argmax(axis=1)).mean())
        result = evaluate(outputs, truth, trained.labels)
        name, notes = opened.backend.name, (*_foreign(file, trained), *opened.notes)
        found.append(FileEvaluation(file.format, file.path, name, result, keras, same, notes))
    if refused and not found:
        raise refused[0][1]
    return Comparison(keras, tuple(found), tuple(text for text, _ in refused))


def read_files(paths: Sequence[Path]) -> tuple[Artifact, ...]:
    """Read model files.

    Raises:
        InputError: there is no such file.
        ArtifactError: one is damaged.

    Example::

        (file,) = read_files([Path("mnist-cnn.int8.tflite")])
    """
    return tuple(artifacts.read(path) for path in paths)


def _test_images(
    trained: TrainedModel, limit: int | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, not {limit}")
    return trained.dataset.x_test[:limit], trained.dataset.y_test[:limit]


def _load_options(file: Artifact, trained: TrainedModel) -> LoadOptions | None:
    """Return Keras's labels and preprocessing for a file without a manifest."""
    return None if file.manifest else LoadOptions(trained.labels, lambda _: trained.spec)


def _require(opened: Classifier, trained: TrainedModel) -> None:
    if opened.spec.shape != trained.spec.shape or len(opened.labels) != len(trained.labels):
        raise InputError(
            f"{opened.artifact.path} takes {opened.spec.shape} images and has "
            f"{len(opened.labels)} classes, but {trained.source.path} takes "
            f"{trained.spec.shape} and has {len(trained.labels)}; name the model it was made "
            "from: --against RUN"
        )


def _foreign(file: Artifact, trained: TrainedModel) -> tuple[str, ...]:
    if file.manifest is None or file.manifest.created.source_sha256 == trained.source.sha256:
        return ()
    return (f"{file.path.name} was not made from this Keras model: {trained.source.path}",)
