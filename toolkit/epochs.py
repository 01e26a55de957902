"""The training loop: epoch by epoch, each with its own seed, a checkpoint after each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from toolkit import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import keras
    import tensorflow as tf
    from numpy.typing import NDArray

    from toolkit.checkpoint import State

_EVALUATION_BATCH = 500


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Model input and one-hot targets.

    Attributes:
        x: float32 (n, height, width, channels), training images.
        y: float32 (n, classes).
        x_validation: like ``x``; may be empty.
        y_validation: like ``y``.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    x_validation: NDArray[np.float32]
    y_validation: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of training images."""
        return len(self.x)

    def feed(self, schedule: Schedule) -> Callable[[int], tf.data.Dataset]:
        """Return what gives the batches of an epoch, in an order of its own."""
        return _Feed(self, schedule).epoch


class EpochData(Protocol):
    """What :func:`run_epochs` trains on: batches for each epoch, and validation images."""

    @property
    def x_validation(self) -> NDArray[np.float32]:
        """Model input, float32 (n, height, width, channels); may be empty."""
        ...

    @property
    def y_validation(self) -> NDArray[np.float32]:
        """One-hot rows, float32 (n, classes)."""
        ...

    def __len__(self) -> int:
        """Return the number of training images."""
        ...

    def feed(self, schedule: Schedule) -> Callable[[int], tf.data.Dataset]:
        """Return what gives the batches of epoch 1, 2, …; the same each time it is asked."""
        ...


class EpochReporter(Protocol):
    """Shows a live bar for one epoch."""

    def epoch(
        self, number: int, epochs: int, steps: int
    ) -> AbstractContextManager[Callable[[dict[str, float]], None]]:
        """Open the bar; the value of the context takes the metrics after each step."""
        ...

    def epoch_done(self, number: int, epochs: int, row: dict[str, float]) -> None:
        """Take the metrics of a whole epoch."""
        ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train.

    Attributes:
        epochs: number of passes over the training images.
        batch_size: images a step.
        seed: with the number of the epoch, it fixes the order of the images.
    """

    epochs: int
    batch_size: int
    seed: int


def run_epochs(
    folder: Path,
    model: keras.Model,
    state: State,
    data: EpochData,
    schedule: Schedule,
    reporter: EpochReporter,
) -> None:
    """Train from ``state.epoch`` to the end, with a checkpoint after each epoch.

    Args:
        folder: the run folder; checkpoints go there.
        model: compiled.
        state: changed in place.
        data: what to train on.
        schedule: how long.
        reporter: shows progress.
    """
    feed = data.feed(schedule)
    steps = -(-len(data) // schedule.batch_size)
    while state.epoch < schedule.epochs:
        number = state.epoch + 1
        started = time.perf_counter()
        _align_dropout(model, state.epoch * steps)
        with reporter.epoch(number, schedule.epochs, steps) as tick:
            row = _fit_epoch(model, feed(number), tick)
        row |= _validate(model, data)
        row["learning_rate"] = float(model.optimizer.learning_rate.numpy())
        row["seconds"] = round(time.perf_counter() - started, 2)
        _finish_epoch(folder, model, state, row)
        reporter.epoch_done(number, schedule.epochs, row)


def _fit_epoch(
    model: keras.Model, batches: tf.data.Dataset, tick: Callable[[dict[str, float]], None]
) -> dict[str, float]:
    from keras.callbacks import LambdaCallback

    live = LambdaCallback(on_train_batch_end=lambda _batch, logs: tick(dict(logs or {})))
    history: dict[str, Any] = model.fit(
        batches, epochs=1, shuffle=False, verbose=0, callbacks=[live]
    ).history
    return {key: float(values[-1]) for key, values in history.items()}


def _align_dropout(model: keras.Model, draws: int) -> None:
    """Tell each dropout layer how often it has drawn; Keras does not save that with a model."""
    for variable in model.variables:
        if variable.path.endswith("/seed_generator_state"):
            variable.assign([int(variable.numpy()[0]), draws])


def _validate(model: keras.Model, data: EpochData) -> dict[str, float]:
    if len(data.x_validation) == 0:
        return {}
    logs = model.evaluate(
        data.x_validation,
        data.y_validation,
        batch_size=_EVALUATION_BATCH,
        verbose=0,
        return_dict=True,
    )
    return {f"val_{key}": float(value) for key, value in logs.items()}


def _finish_epoch(folder: Path, model: keras.Model, state: State, row: dict[str, float]) -> None:
    """Record the epoch, adapt the learning rate, keep the checkpoint."""
    state.history.append(row)
    watched = row.get("val_accuracy", row["accuracy"])
    is_best = watched >= state.best_value
    if is_best:
        state.best_epoch, state.best_value = state.epoch, watched
    model.optimizer.learning_rate = state.rule.update(watched, row["learning_rate"])
    checkpoint.save(folder, model, state, is_best=is_best)


class _Feed:
    """Batches in an order that only seed and epoch decide, so that a resumed run repeats it."""

    def __init__(self, data: TrainingData, schedule: Schedule) -> None:
        import tensorflow as tf

        self._x, self._y = tf.constant(data.x), tf.constant(data.y)
        self._schedule = schedule

    def epoch(self, number: int) -> tf.data.Dataset:
        import tensorflow as tf

        order = np.random.default_rng((self._schedule.seed, number)).permutation(len(self._x))
        return (
            tf.data.Dataset.from_tensor_slices(order)
            .batch(self._schedule.batch_size)
            .map(lambda i: (tf.gather(self._x, i), tf.gather(self._y, i)))
            .prefetch(2)
        )
