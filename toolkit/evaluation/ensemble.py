"""Several trained runs as one model: the mean of their probabilities."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime.errors import InputError
from runtime.modelfile.files import write_atomically
from toolkit.datasets import DataOptions
from toolkit.evaluation.evaluate import evaluate_keras
from toolkit.evaluation.figures import plot_confusion
from toolkit.evaluation.metrics import evaluate
from toolkit.progress import SILENT, Reporter
from toolkit.runs import run as runs
from toolkit.runs.files import read_json, write_json
from toolkit.runs.versions import versions
from toolkit.trained_model import TrainedModel, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import keras

    from exporters.keras_model.source import KerasSource

NAME = "ensemble"
_SPLIT = ("limit", "validation_split", "seed")


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One run of an ensemble.

    Attributes:
        run: its folder.
        trained: its model with its data.
        accuracy: on the test images, 0…1.

    Example::

        for member in make(paths, Path("runs")).members:
            print(member.run.name, member.accuracy)
    """

    run: runs.Run
    trained: TrainedModel
    accuracy: float

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "run": str(self.run.path.resolve()),
            "name": self.run.name,
            "sha256": self.trained.source.sha256,
            "accuracy": self.accuracy,
            "parameters": int(self.trained.source.model.count_params()),
            "multiply_adds": self.trained.source.multiply_adds,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """A finished ensemble.

    Attributes:
        run: the run folder of the ensemble.
        members: the runs in it.
        metrics: the content of ``metrics.json``.

    Example::

        ensemble = make([Path("runs/a"), Path("runs/b")], Path("runs"))
        gain = ensemble.metrics["test_accuracy"] - ensemble.best.accuracy
    """

    run: runs.Run
    members: tuple[Member, ...]
    metrics: dict[str, Any]

    @property
    def best(self) -> Member:
        """The member with the highest accuracy; the first of equals."""
        return max(self.members, key=lambda member: member.accuracy)


def make(paths: Sequence[Path], parent: Path, reporter: Reporter = SILENT) -> Ensemble:
    """Average runs into one model, evaluate it, and write its run folder.

    Args:
        paths: at least two run folders with the same data, labels and preprocessing.
        parent: the folder in which the run folder is made.
        reporter: receives the progress.

    Raises:
        InputError: fewer than two runs, the same model twice, or incompatible runs.
        DataError: their data cannot be found.

    Example::

        ensemble = make([Path("runs/a"), Path("runs/b")], Path("runs"))
    """
    found = [runs.open_run(path) for path in paths]
    require_compatible(found)
    _require_different(found)
    members = _evaluated(found, reporter)
    models = [member.trained.source for member in members]
    first = members[0]
    name = f"{runs.slug(first.trained.dataset.name)}-{NAME}"
    folder = runs.start(parent, name)
    try:
        write_json(folder / runs.CONFIG, _config(name, members))
        metrics = _write_results(folder, average(models), members)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Ensemble(runs.open_run(runs.finish(folder)), members, metrics)


def require_compatible(found: Sequence[runs.Run]) -> None:
    """Check that runs can be averaged.

    Raises:
        InputError: names the first incompatible run, and what differs.

    Example::

        require_compatible([open_run(path) for path in paths])
    """
    if len(found) < 2:
        raise InputError("an ensemble needs at least two runs: toolkit ensemble RUN RUN")
    first = found[0]
    for other in found[1:]:
        if reason := _difference(first, other):
            raise InputError(
                f"{other.path} cannot be averaged with {first.path}: {reason}; "
                "train them on the same data: toolkit train --seed 1"
            )


def average(sources: Sequence[KerasSource]) -> keras.Model:
    """Return one functional model: the mean of all members' outputs for the same image.

    Args:
        sources: models with the same input and the same classes; logits get a softmax.
            They are copied, and the copies' layers are called ``m1_…``, ``m2_…``.

    Example::

        model = average([load_keras(Path("a.keras")), load_keras(Path("b.keras"))])
    """
    import keras

    image = keras.Input(sources[0].image_shape, name="image")
    outputs = [_copied(source, image, number) for number, source in enumerate(sources, 1)]
    mean = keras.layers.Average(name="mean")(outputs)
    return keras.Model(image, mean, name=NAME)


def _copied(source: KerasSource, image: Any, number: int) -> Any:
    """Return the probabilities of a copy of a member, as a symbolic tensor."""
    import keras

    def renamed(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config(layer.get_config() | {"name": f"m{number}_{layer.name}"})

    plain = keras.Model(source.model.inputs[0], source.model.outputs[0])
    copy = keras.models.clone_model(plain, input_tensors=image, clone_function=renamed)
    copy.set_weights(plain.get_weights())
    (output,) = copy.outputs
    if source.scores == "logits":
        output = keras.layers.Softmax(name=f"m{number}_probabilities")(output)
    return output


def _evaluated(found: Sequence[runs.Run], reporter: Reporter) -> tuple[Member, ...]:
    members = []
    with reporter.task("members", len(found)) as tick:
        for run in found:
            trained = resolve(run.path, DataOptions(), reporter=reporter)
            members.append(Member(run, trained, evaluate_keras(trained).accuracy))
            tick(1)
    return tuple(members)


def _require_different(found: Sequence[runs.Run]) -> None:
    digests = {hashlib.sha256(run.model.read_bytes()).digest() for run in found}
    if len(digests) < len(found):
        raise InputError("the same model is given twice; an ensemble needs different runs")


def _difference(first: runs.Run, other: runs.Run) -> str | None:
    if first.spec.shape != other.spec.shape:
        return f"its input is {other.spec.shape}, not {first.spec.shape}"
    if first.labels != other.labels:
        return f"its labels are {', '.join(other.labels)}"
    if first.spec != other.spec:
        return "its preprocessing differs (scale, mean, std, fit or polarity)"
    ours, theirs = first.config["data"], other.config["data"]
    if ours["name"] != theirs["name"]:
        return f"it was trained on {theirs['name']}, not on {ours['name']}"
    return None


def _config(name: str, members: Sequence[Member]) -> dict[str, Any]:
    """Return a configuration like that of a training, with the members instead of options."""
    first = members[0].run.config
    splits = [{key: one.run.config["options"][key] for key in _SPLIT} for one in members]
    split = splits[0]
    if any(other != split for other in splits):  # some member was trained on each image
        split |= {"validation_split": 0.0}
    return {
        "name": name,
        "options": split,
        "data": first["data"],
        "preprocess": first["preprocess"],
        "versions": versions(),
        NAME: {"members": [member.to_json() for member in members]},
    }


def _write_results(folder: Path, model: keras.Model, members: Sequence[Member]) -> dict[str, Any]:
    from exporters.keras_model.source import load_keras

    model.save(folder / runs.MODEL)
    source, trained = load_keras(folder / runs.MODEL), members[0].trained
    dataset = trained.dataset
    scores = source.predict(trained.spec.apply(dataset.x_test))
    result = evaluate(scores, dataset.y_test, trained.labels)
    metrics = {
        "test_accuracy": result.accuracy,
        "test_images": result.images,
        "parameters": int(source.model.count_params()),
        "multiply_adds": source.multiply_adds,
        "seconds": round(sum(_seconds(member.run) for member in members), 1),
        "evaluation": result.to_json(),
    }
    write_json(folder / runs.METRICS, metrics)
    write_atomically(folder / "classification_report.txt", result.report.encode())
    plot_confusion(result, folder / "confusion_matrix.png")
    return metrics


def _seconds(run: runs.Run) -> float:
    path = run.path / runs.METRICS
    return float(read_json(path).get("seconds", 0.0)) if path.is_file() else 0.0
