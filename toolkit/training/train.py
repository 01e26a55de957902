"""Trains a model and writes a run folder."""

from __future__ import annotations

import logging
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from exporters.keras_model.tensorflow_setup import import_tensorflow, require_tensorflow
from runtime.errors import EdgeError, InputError
from toolkit.datasets import load_dataset
from toolkit.datasets.checks import checked
from toolkit.datasets.splits import train_validation
from toolkit.runs import run as runs
from toolkit.runs.files import read_json, write_json
from toolkit.training import checkpoint
from toolkit.training import model as networks
from toolkit.training.augmentation import Augmented, Transforms
from toolkit.training.checkpoint import State
from toolkit.training.config import TRAIN_TOML, write_config
from toolkit.training.input_pipeline import ModelInput, Schedule, TrainingData
from toolkit.training.loop import run_epochs
from toolkit.training.model import in_precision
from toolkit.training.monitor import TrainingFailedError
from toolkit.training.options import FLOAT32, TrainOptions
from toolkit.training.results import describe, write_results
from toolkit.training.tensorboard import logged

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from toolkit.datasets import DataOptions, Dataset
    from toolkit.training.input_pipeline import EpochData
    from toolkit.training.results import TrainReporter

_LOG = logging.getLogger("toolkit")


@dataclass(frozen=True, slots=True)
class TrainResult:
    """Result of a training.

    Attributes:
        run: the finished run folder.
        metrics: the content of ``metrics.json``.

    Example::

        result = train(TrainOptions(), DataOptions(name="digits"), Path("runs"), reporter)
        print(result.run.path, result.metrics["test_accuracy"])
    """

    run: runs.Run
    metrics: dict[str, Any]


class TrainingInterruptedError(KeyboardInterrupt):
    """Ctrl-C during training; ``path`` is the folder of the checkpoint, None if there is none.

    Example::

        except TrainingInterruptedError as interrupt:
            if interrupt.path:
                result = resume(interrupt.path, reporter)
    """

    def __init__(self, path: Path | None, state: State) -> None:
        """Keep the folder and the state of the training."""
        super().__init__()
        self.path = path
        self.state = state


def train(
    options: TrainOptions, data: DataOptions, parent: Path, reporter: TrainReporter
) -> TrainResult:
    """Train a model.

    Args:
        options: options of the training.
        data: the dataset.
        parent: the folder in which the run folder is made.
        reporter: receives the progress.

    Returns:
        The run folder and its metrics.

    Raises:
        DataError: the data is missing or wrong.
        InputError: an option is out of range.
        TrainingInterruptedError: Ctrl-C; the checkpoint stays.

    Example::

        options = TrainOptions(epochs=5, schedule="cosine", learning_rate=0.002)
        result = train(options, DataOptions(name="mnist"), Path("runs"), reporter)
    """
    networks.require_known(options)  # before minutes of loading data
    require_tensorflow()
    options = options.resolved()  # config.json records them, a resumed training repeats them
    dataset = checked(load_dataset(data, reporter).limited(options.limit))
    for note in dataset.notes:
        reporter.say(note)
    _start_tensorflow(options, reporter)
    network = networks.build(options, dataset)
    model = compiled(network.model, options)
    name = f"{runs.slug(dataset.name)}-{network.short}"
    folder = runs.start(parent, name)
    config = {"name": name} | describe(asdict(options), data, dataset)
    write_json(folder / runs.CONFIG, config)
    write_config(folder / TRAIN_TOML, config)
    return _train(folder, model, State(options.rule()), options, dataset, reporter)


def resume(folder: Path, reporter: TrainReporter, data_path: Path | None = None) -> TrainResult:
    """Continue an interrupted training, to the same weights as without the interruption.

    Args:
        folder: an unfinished run folder (``….partial``).
        reporter: receives the progress.
        data_path: of the data, if it was moved.

    Raises:
        InputError: the folder is finished, contains no checkpoint or the record of another
            version, or the data is not that of the first part.
        DataError: the data is missing.

    Example::

        result = resume(Path("runs/20260101-120000-mnist-cnn.partial"), reporter)
    """
    if not (folder / runs.CHECKPOINT).is_dir():
        reason = "is finished" if (folder / runs.MODEL).is_file() else "holds no checkpoint"
        raise InputError(f"{folder} {reason}; nothing to resume")
    require_tensorflow()
    options, data, checksum = _recorded(folder, data_path)
    dataset = load_dataset(data, reporter).limited(options.limit)
    if dataset.checksum != checksum:
        raise InputError(f"{dataset.origin} is not the data that {folder} was trained on")
    _start_tensorflow(options, reporter)
    model, state = checkpoint.restore(folder)
    return _train(folder, model, state, options, dataset, reporter)


def _recorded(folder: Path, data_path: Path | None) -> tuple[TrainOptions, DataOptions, str]:
    """Read the options; those that an older version did not record have their defaults."""
    try:
        config = read_json(folder / runs.CONFIG)
        options = TrainOptions(**config["options"])
        return options, runs.data_options(config["data"], data_path), config["data"]["sha256"]
    except EdgeError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / runs.CONFIG} is not a record that this version can resume "
            f"({type(error).__name__}: {error}); start again: toolkit train"
        ) from error


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
        data = _epoch_data(dataset, options, reporter)
        with logged(reporter, folder, enabled=options.tensorboard) as progress:
            run_epochs(folder, model, state, data, schedule, progress)
    except BaseException as error:
        kept = runs.has_checkpoint(folder)
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, KeyboardInterrupt):
            raise TrainingInterruptedError(folder if kept else None, state) from None
        if isinstance(error, TrainingFailedError):
            if kept:
                checkpoint.mark_failed(folder)
            command = runs.resume_command(folder) if kept else None
            raise error.with_command(command, state) from error
        raise
    _LOG.debug("%s: the weights of epoch %d are kept", folder.name, state.best_epoch)
    final = in_precision(checkpoint.load_best(folder), FLOAT32)
    metrics = write_results(folder, final, state, dataset)
    shutil.rmtree(folder / runs.CHECKPOINT)
    return TrainResult(runs.open_run(runs.finish(folder)), metrics)


def _epoch_data(dataset: Dataset, options: TrainOptions, reporter: TrainReporter) -> EpochData:
    data = training_data(dataset, options)
    if len(data) < len(data.x_validation):
        reporter.say(
            f"Only {len(data):,} images are trained on: {len(data.x_validation):,} are held out "
            f"by --validation-split {options.validation_split:g}"
        )
    return Augmented(data, Transforms.of(options)) if options.augment else data


def training_data(dataset: Dataset, options: TrainOptions) -> TrainingData:
    """Return training and validation images as model input, with one-hot targets.

    Example::

        data = training_data(load_dataset(DataOptions(name="digits")), TrainOptions())
        print(len(data), len(data.y_validation))
    """
    train_part, validation = train_validation(dataset, options.validation_split, options.seed)
    one_hot = np.eye(len(dataset.labels), dtype=np.float32)
    return TrainingData(
        x=ModelInput(dataset.x_train, train_part, dataset.spec),
        y=one_hot[dataset.y_train[train_part]],
        x_validation=ModelInput(dataset.x_train, validation, dataset.spec),
        y_validation=one_hot[dataset.y_train[validation]],
    )


def compiled(model: keras.Model, options: TrainOptions) -> keras.Model:
    """Compile a network in place and return it.

    Args:
        model: its output are probabilities.
        options: the optimizer.

    Example::

        model = compiled(build(options, dataset).model, options)
    """
    model.compile(
        optimizer=options.new_optimizer(), loss="categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def _start_tensorflow(options: TrainOptions, reporter: TrainReporter) -> None:
    """Load TensorFlow, with deterministic sums for this process if requested."""
    with reporter.task("starting TensorFlow", 1):
        import_tensorflow()
    if options.deterministic:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
