"""Trains a model and writes a run folder."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import InputError
from runtime.host import host
from runtime.registry import pick
from toolkit import architectures, checkpoint, runs
from toolkit.architectures import BuildOptions
from toolkit.checkpoint import State
from toolkit.datasets import load_dataset
from toolkit.epochs import Schedule, TrainingData, run_epochs
from toolkit.files import read_json, write_json
from toolkit.rates import Cosine, Plateau
from toolkit.record import describe, write_results
from toolkit.splits import train_validation

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from toolkit.datasets import DataOptions, Dataset
    from toolkit.record import TrainReporter

AUTO, FLOAT32, MIXED = "auto", "float32", "mixed_bfloat16"
PRECISIONS = (FLOAT32, MIXED, AUTO)
SCHEDULES = ("plateau", "cosine")


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """The recipe. The defaults are those of the tutorial.

    Attributes:
        architecture: a registered architecture.
        padding: of its convolutions.
        epochs: passes over the training images.
        batch_size: images a step.
        learning_rate: of Adam, at the start.
        validation_split: share of the training images that is set aside.
        schedule: how the learning rate falls: ``plateau``, when the validation accuracy no
            longer rises, or ``cosine``, along half a cosine over all epochs.
        plateau_factor: what the learning rate is multiplied with on a plateau.
        plateau_patience: epochs without a rise of the validation accuracy before that.
        seed: of split, weights, dropout and order.
        limit: use only the first n training images.
        precision: arithmetic of the training; the saved model is float32. ``auto`` takes
            ``mixed_bfloat16`` where the processor computes in it, else ``float32``.
    """

    architecture: str = "tutorial-cnn"
    padding: str = "same"
    epochs: int = 30
    batch_size: int = 86
    learning_rate: float = 0.001
    validation_split: float = 0.1
    schedule: str = "plateau"
    plateau_factor: float = 0.5
    plateau_patience: int = 3
    seed: int = 0
    limit: int | None = None
    precision: str = FLOAT32

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: a field is out of its range.
        """
        if min(self.epochs, self.batch_size) < 1:
            raise InputError("epochs and batch size must be at least 1")
        if not 0 < self.learning_rate < float("inf") or not 0 <= self.validation_split < 1:
            raise InputError("the learning rate must be positive, the validation split in [0, 1)")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"the seed must lie between 0 and 2**32 - 1, not {self.seed}")
        _check_choice("precision", self.precision, PRECISIONS)
        _check_choice("schedule", self.schedule, SCHEDULES)

    def resolved(self) -> TrainOptions:
        """Return the recipe as this machine runs it, without ``auto``."""
        if self.precision != AUTO:
            return self
        return replace(self, precision=MIXED if "bf16" in host().features else FLOAT32)

    def rule(self) -> Plateau | Cosine:
        """Return how the learning rate changes, before the first epoch."""
        if self.schedule == "cosine":
            return Cosine(self.learning_rate, self.epochs)
        return Plateau(self.plateau_factor, self.plateau_patience)


def _check_choice(kind: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"unknown {kind} '{value}'. Known: {', '.join(known)}.")


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training came to.

    Attributes:
        run: the finished run folder.
        metrics: what ``metrics.json`` holds.
    """

    run: runs.Run
    metrics: dict[str, Any]


class TrainingInterruptedError(KeyboardInterrupt):
    """Ctrl-C during training; ``path`` holds the checkpoint, or is None if there is none."""

    def __init__(self, path: Path | None, state: State) -> None:
        """Keep where the training stands."""
        super().__init__()
        self.path = path
        self.state = state


def train(
    options: TrainOptions, data: DataOptions, parent: Path, reporter: TrainReporter
) -> TrainResult:
    """Train a model.

    Args:
        options: the recipe.
        data: the dataset.
        parent: the folder in which the run folder is made.
        reporter: shows progress.

    Returns:
        The run folder and its metrics.

    Raises:
        DataError: the data is missing or wrong.
        InputError: an option is out of range.
        TrainingInterruptedError: Ctrl-C; the checkpoint stays.
    """
    options = options.resolved()  # what config.json records and a resumed training repeats
    architecture = pick(architectures.registry(), "architecture", options.architecture)()
    dataset = load_dataset(data, reporter).limited(options.limit)
    for note in dataset.notes:
        reporter.say(note)
    build = BuildOptions(
        dataset.spec.shape, len(dataset.labels), padding=options.padding, seed=options.seed
    )
    model = compiled(architecture, build, options)
    name = f"{runs.slug(dataset.name)}-{architecture.short}"
    folder = runs.start(parent, name)
    write_json(
        folder / runs.CONFIG,
        {"name": name} | describe(asdict(options), data, dataset),
    )
    return _train(folder, model, State(options.rule()), options, dataset, reporter)


def resume(folder: Path, reporter: TrainReporter, data_path: Path | None = None) -> TrainResult:
    """Go on with a training that was interrupted, to the same end.

    Args:
        folder: an unfinished run folder (``….partial``).
        reporter: shows progress.
        data_path: where the data is now, if not where it was.

    Raises:
        InputError: the folder is finished, or holds no checkpoint.
        DataError: the data is missing, or is not that of the first part.
    """
    if not (folder / checkpoint.FOLDER).is_dir():
        reason = "is finished" if (folder / runs.MODEL).is_file() else "holds no checkpoint"
        raise InputError(f"{folder} {reason}; nothing to resume")
    config = read_json(folder / runs.CONFIG)
    options = TrainOptions(**config["options"])
    dataset = load_dataset(runs.data_options(config["data"], data_path), reporter)
    dataset = dataset.limited(options.limit)
    if dataset.checksum != config["data"]["sha256"]:
        raise InputError(f"{dataset.origin} is not the data that {folder} was trained on")
    model, state = checkpoint.restore(folder)
    return _train(folder, model, state, options, dataset, reporter)


def _train(
    folder: Path,
    model: keras.Model,
    state: State,
    options: TrainOptions,
    dataset: Dataset,
    reporter: TrainReporter,
) -> TrainResult:
    schedule = Schedule(options.epochs, options.batch_size, options.seed)
    try:
        run_epochs(folder, model, state, training_data(dataset, options), schedule, reporter)
    except BaseException as error:
        kept = checkpoint.exists(folder)
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, KeyboardInterrupt):
            raise TrainingInterruptedError(folder if kept else None, state) from None
        raise
    final = _plain(checkpoint.load_best(folder))
    metrics = write_results(folder, final, state, dataset)
    shutil.rmtree(folder / checkpoint.FOLDER)
    return TrainResult(runs.open_run(runs.finish(folder)), metrics)


def training_data(dataset: Dataset, options: TrainOptions) -> TrainingData:
    """Split off the validation images and turn all into model input and one-hot rows."""
    train_part, validation = train_validation(dataset, options.validation_split, options.seed)
    one_hot = np.eye(len(dataset.labels), dtype=np.float32)
    return TrainingData(
        x=dataset.spec.apply(dataset.x_train[train_part]),
        y=one_hot[dataset.y_train[train_part]],
        x_validation=dataset.spec.apply(dataset.x_train[validation]),
        y_validation=one_hot[dataset.y_train[validation]],
    )


def compiled(
    architecture: architectures.Architecture, build: BuildOptions, options: TrainOptions
) -> keras.Model:
    """Build the network with seeded weights, ready to train.

    Args:
        architecture: which network.
        build: its size.
        options: seed, precision (not ``auto``) and learning rate.
    """
    import keras

    keras.utils.set_random_seed(options.seed)
    keras.config.set_dtype_policy(options.precision)
    try:
        model = architecture.build(build)
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile(
        optimizer=keras.optimizers.Adam(options.learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def _plain(model: keras.Model) -> keras.Model:
    """Return the model with the same weights, float32 arithmetic and no optimizer."""
    import keras

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        return layer.__class__.from_config(layer.get_config() | {"dtype": "float32"})

    plain = keras.models.clone_model(model, clone_function=clone)
    plain.set_weights(model.get_weights())
    return plain
