"""Files of a run folder: configuration, metrics, curves, report."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from exporters.keras_model.source import run_keras
from runtime.modelfile.files import write_atomically
from toolkit.evaluation.figures import plot_confusion
from toolkit.evaluation.metrics import evaluate
from toolkit.plots import plot_history
from toolkit.progress import Reporter
from toolkit.runs import run
from toolkit.runs.files import write_json
from toolkit.runs.versions import versions
from toolkit.training.input_pipeline import ModelInput
from toolkit.training.loop import EpochReporter

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from toolkit.datasets import DataOptions, Dataset
    from toolkit.training.checkpoint import State


class TrainReporter(Reporter, EpochReporter, Protocol):
    """Receives the progress of tasks and of epochs.

    Example::

        def demo(parent: Path, reporter: TrainReporter) -> None:
            train(TrainOptions(), DataOptions(name="digits"), parent, reporter)
    """


def describe(options: dict[str, Any], data: DataOptions, dataset: Dataset) -> dict[str, Any]:
    """Return the content of ``config.json``: enough to train the same model again.

    Example::

        config = {"name": "mnist-cnn"} | describe(asdict(options), data, dataset)
    """
    stored = asdict(data)
    stored["name"] = data.name or (None if data.path else dataset.name)
    stored["path"] = str(data.path.resolve()) if data.path else None
    return {
        "options": options,
        "data": {
            "name": dataset.name,
            "labels": list(dataset.labels),
            "train_images": len(dataset.y_train),
            "test_images": len(dataset.y_test),
            "sha256": dataset.checksum,
            "options": stored,
            "notes": list(dataset.notes),
        },
        "preprocess": dataset.spec.to_json(),
        "versions": versions(),
    }


def write_results(
    folder: Path, model: keras.Model, state: State, dataset: Dataset
) -> dict[str, Any]:
    """Evaluate the trained model and write model, metrics, curves and report.

    Returns:
        The content of ``metrics.json``.

    Example::

        accuracy = write_results(folder, model, state, dataset)["test_accuracy"]
    """
    model.save(folder / run.MODEL)
    test: Any = ModelInput.of(dataset.x_test, dataset.spec)  # converted batch by batch
    result = evaluate(run_keras(model, test), dataset.y_test, dataset.labels)
    metrics = {
        "test_accuracy": result.accuracy,
        "test_images": result.images,
        "best_epoch": state.best_epoch,
        "best_validation_accuracy": state.best_value,
        "epochs": state.epoch,
        "parameters": int(model.count_params()),
        "seconds": round(sum(row["seconds"] for row in state.history), 1),
        "evaluation": result.to_json(),
    }
    write_json(folder / run.METRICS, metrics)
    write_atomically(folder / run.HISTORY, _csv(state.history).encode())
    write_atomically(folder / "classification_report.txt", result.report.encode())
    plot_history(state.history, folder / "curves.png")
    plot_confusion(result, folder / "confusion_matrix.png")
    return metrics


def _csv(history: list[dict[str, float]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["epoch", *history[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"epoch": n, **row} for n, row in enumerate(history, 1))
    return buffer.getvalue()
