"""``toolkit evaluate``: accuracy, confusion matrix, precision, recall and F1."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.backends import AUTO
from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import ENGINE, EXISTING, FOLDER, data_options, override_options
from toolkit.engines import check_engine, check_files

if TYPE_CHECKING:
    from toolkit.datasets import DataOptions
    from toolkit.evaluation.evaluate import Comparison, FileEvaluation
    from toolkit.evaluation.metrics import Evaluation
    from toolkit.trained_model import Located, Overrides, TrainedModel

_PICTURE = "confusion_matrix.png"
_FILES = (".tflite", ".onnx")


@click.command()
@click.argument("model", type=EXISTING, required=False)
@click.option("--all", "everything", is_flag=True, help="Also all exports of the run.")
@click.option(
    "--against", type=EXISTING, help="The Keras model of a model file [default: its run]."
)
@click.option(
    "--backend", type=ENGINE, default=AUTO, show_default=True, help="Engine of the model files."
)
@click.option("--limit", type=int, help="Use the first N test images only.")
@click.option(
    "--out",
    type=FOLDER,
    help="Folder for the confusion matrix as PNG [default: the run folder; of a bare .keras "
    "file none is drawn].",
)
@data_options
@override_options
@output_options
def command(
    model: Path | None,
    everything: bool,
    against: Path | None,
    backend: str,
    limit: int | None,
    out: Path | None,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Evaluate MODEL on test images.

    MODEL is a run folder or .keras file [default: the latest run], or a model file
    (.tflite, .onnx), which is run in its engine and compared with Keras class by class.
    """
    from toolkit.commands._reporter import RichReporter
    from toolkit.evaluation import evaluate
    from toolkit.export.export import read_exports
    from toolkit.trained_model import as_exported
    from toolkit.training.monitor import low_accuracy

    check_engine(backend)
    file = model if model is not None and model.suffix in _FILES and not model.is_dir() else None
    _require(file, limit, against, everything=everything)
    files = evaluate.read_files([file]) if file else ()
    keras = (against or evaluate.home(file)) if file else model
    located = _located(keras, data, overrides, homeless=bool(file) and keras is None)
    if everything:
        files = read_exports(located.exports)
    check_files(files, backend)
    reporter = RichReporter(output)
    trained = as_exported(located.load(reporter), files, reporter)
    found = evaluate.evaluate_files(trained, files, limit, backend, reporter)
    one = found.files[0] if file else None
    shown = one.evaluation if one else found.reference
    picture = _draw(shown, trained, out, file)
    record = _record(found, one, everything=everything)
    text = _text(found, one, everything=everything)
    output.data(record | {"confusion_matrix_png": picture and str(picture)}, text)
    _remarks(found, picture, output)
    share = float(shown.confusion.sum(axis=1).max()) / max(1, shown.images)
    if warning := low_accuracy(shown.accuracy, share):
        output.say(warning)


def _located(
    keras: Path | None, data: DataOptions, overrides: Overrides, *, homeless: bool
) -> Located:
    """Find the Keras model; for a file outside a run, the error names what is missing."""
    from runtime.errors import InputError
    from toolkit.trained_model import locate

    try:
        return locate(keras, data, overrides)
    except InputError as error:
        if not homeless:
            raise
        hint = "or name the Keras model of the file and its data: --against MODEL --data PATH"
        raise InputError(f"{error}; {hint}") from error


def _require(
    file: Path | None, limit: int | None, against: Path | None, *, everything: bool
) -> None:
    from runtime.errors import InputError

    if limit is not None and limit < 1:
        raise InputError(f"--limit must be at least 1, not {limit}")
    if file is not None and everything:
        raise InputError(f"--all goes with a run folder, not with the file {file}")
    if file is None and against is not None:
        raise InputError("--against goes with a model file (.tflite, .onnx)")


def _record(found: Comparison, one: FileEvaluation | None, *, everything: bool) -> dict[str, Any]:
    if one is not None:
        return one.to_json() | {"reference": found.reference.to_json()}
    return found.to_json() if everything else found.reference.to_json()


def _text(found: Comparison, one: FileEvaluation | None, *, everything: bool) -> str:
    from toolkit.commands import _evaluation_text as text

    if one is not None:
        return text.file_text(one)
    return text.all_text(found) if everything else text.keras_text(found.reference)


def _draw(
    result: Evaluation, trained: TrainedModel, out: Path | None, file: Path | None
) -> Path | None:
    """Draw into the run folder, or where the user says; nowhere else."""
    if out is None and trained.stated is not None:
        return None
    from toolkit.evaluation.figures import plot_confusion

    folder = out or trained.source.path.parent
    picture = folder / f"{file.name if file else trained.dataset.name}-{_PICTURE}"
    plot_confusion(result, picture)
    return picture


def _remarks(found: Comparison, picture: Path | None, output: Output) -> None:
    notes = (note for file in found.files for note in file.notes)
    for note in dict.fromkeys((*notes, *found.refused)):
        output.say(f"Note: {note}")
    if picture:
        output.say(f"Confusion matrix: {picture}")
