"""The training loop: epoch by epoch, each with its own seed, a checkpoint after each."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from runtime.host import host
from toolkit.training import checkpoint, monitor
from toolkit.training.input_pipeline import validation_batches

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import keras
    import tensorflow as tf

    from toolkit.training.checkpoint import State
    from toolkit.training.input_pipeline import EpochData, Schedule

_LOG = logging.getLogger("toolkit")


class EpochReporter(Protocol):
    """Receives the progress of each epoch.

    Example::

        class Plain(Silent):
            def epoch(self, number, epochs, steps):
                return nullcontext(lambda metrics: None)

            def epoch_done(self, number, epochs, row):
                print(number, row["accuracy"])
    """

    def say(self, text: str) -> None:
        """Receive a remark for the user."""
        ...

    def epoch(
        self, number: int, epochs: int, steps: int
    ) -> AbstractContextManager[Callable[[dict[str, float]], None]]:
        """Begin an epoch; the context value is called with the metrics after each step."""
        ...

    def epoch_done(self, number: int, epochs: int, row: dict[str, float]) -> None:
        """Receive the metrics of a finished epoch."""
        ...


def run_epochs(
    folder: Path,
    model: keras.Model,
    state: State,
    data: EpochData,
    schedule: Schedule,
    reporter: EpochReporter,
) -> None:
    """Train from ``state.epoch`` to the end, with a checkpoint after each epoch.

    An epoch that does not fit into memory is repeated with half the batch size; the one that
    was used is in the history.

    Args:
        folder: the run folder, in which checkpoints are written.
        model: compiled.
        state: changed in place.
        data: training and validation images.
        schedule: epochs, batch size and seed.
        reporter: receives the progress.

    Raises:
        TrainingFailedError: the loss became NaN or exploded; the checkpoint is that of the
            epoch before. Or a single image does not fit into memory.

    Example::

        state = State(options.rule())
        run_epochs(folder, model, state, data, Schedule(30, 86, seed=0), reporter)
        best = checkpoint.load_best(folder)
    """
    import tensorflow as tf

    for row in state.history:  # of a version that did not record it
        row.setdefault("batch_size", schedule.batch_size)
    if state.history:  # the batch size that fits into memory
        schedule = replace(schedule, batch_size=int(state.history[-1]["batch_size"]))
    loop = _Loop(folder, model, state, data, reporter)
    while state.epoch < schedule.epochs:
        before = _Variables(model)
        try:
            loop.epoch(schedule)
        except (MemoryError, tf.errors.ResourceExhaustedError):
            before.restore()
            smaller = monitor.halved(schedule.batch_size)
            reporter.say(
                f"Out of memory with {schedule.batch_size} images per step: going on after epoch "
                f"{state.epoch} with {smaller}."
            )
            schedule = replace(schedule, batch_size=smaller)


class _Loop:
    """State that is the same in every epoch."""

    def __init__(
        self,
        folder: Path,
        model: keras.Model,
        state: State,
        data: EpochData,
        reporter: EpochReporter,
    ) -> None:
        self._folder, self._model, self._state = folder, model, state
        self._data, self._reporter = data, reporter
        classes = model.output_shape[-1]
        self._reference = monitor.chance_loss(classes)
        truth = data.y_validation
        self._share = float(truth.mean(axis=0).max()) if len(truth) else 1 / classes
        self._mixed = any(layer.compute_dtype == "bfloat16" for layer in model.layers)
        self._pipeline: tuple[Schedule, Callable[[int], tf.data.Dataset]] | None = None

    def epoch(self, schedule: Schedule) -> None:
        """Train one epoch and keep its checkpoint."""
        model, state = self._model, self._state
        number = state.epoch + 1
        started = time.perf_counter()
        _align_dropout(model, sum(self._steps(int(row["batch_size"])) for row in state.history))
        with self._reporter.epoch(
            number, schedule.epochs, self._steps(schedule.batch_size)
        ) as tick:
            row = self._fit(self._batches(schedule, number), number, tick)
        row |= _validate(model, self._data)
        self._check(row.get("val_loss", row["loss"]), f"after epoch {number}")
        row["learning_rate"] = float(model.optimizer.learning_rate.numpy())
        row["batch_size"] = schedule.batch_size
        row["seconds"] = round(time.perf_counter() - started, 2)
        _finish_epoch(self._folder, model, state, row)
        self._reporter.epoch_done(number, schedule.epochs, row)
        faster = not self._mixed and "bf16" in host().features
        for text in monitor.remarks(state.history, self._share, schedule.epochs, faster=faster):
            self._reporter.say(text)

    def _steps(self, batch_size: int) -> int:
        return -(-len(self._data) // batch_size)

    def _batches(self, schedule: Schedule, number: int) -> tf.data.Dataset:
        if self._pipeline is None or self._pipeline[0] != schedule:
            self._pipeline = schedule, self._data.epoch_batches(schedule)
        return self._pipeline[1](number)

    def _fit(
        self,
        batches: tf.data.Dataset,
        number: int,
        tick: Callable[[dict[str, float]], None],
    ) -> dict[str, float]:
        from keras.callbacks import LambdaCallback

        def step_done(step: int, logs: dict[str, float] | None) -> None:
            values = dict(logs or {})
            loss = values.get("loss", 0.0)  # of the epoch so far; Keras fetched it anyway
            if number == 1 and step == 0 and np.isfinite(loss):
                self._reference = max(self._reference, loss)
            self._check(loss, f"in step {step + 1} of epoch {number}")
            tick(values)

        history: dict[str, Any] = self._model.fit(
            batches,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=[LambdaCallback(on_train_batch_end=step_done)],
        ).history
        return {key: float(values[-1]) for key, values in history.items()}

    def _check(self, loss: float, where: str) -> None:
        if monitor.diverged(loss, self._reference):
            rate = float(self._model.optimizer.learning_rate.numpy())
            raise monitor.divergence(loss, where, rate, mixed=self._mixed)


class _Variables:
    """A copy of the weights and of the state of the optimizer."""

    def __init__(self, model: keras.Model) -> None:
        model.optimizer.build(model.trainable_variables)
        self._variables = [*model.variables, *model.optimizer.variables]
        self._values = [variable.numpy() for variable in self._variables]

    def restore(self) -> None:
        """Set all variables to the copied values."""
        for variable, value in zip(self._variables, self._values, strict=True):
            variable.assign(value)


def _align_dropout(model: keras.Model, draws: int) -> None:
    """Set how often each dropout layer has drawn; Keras does not save that with a model."""
    for variable in model.variables:
        if variable.path.endswith("/seed_generator_state"):
            variable.assign([int(variable.numpy()[0]), draws])


def _validate(model: keras.Model, data: EpochData) -> dict[str, float]:
    if len(data.x_validation) == 0:
        return {}
    logs = model.evaluate(validation_batches(data), verbose=0, return_dict=True)
    return {f"val_{key}": float(value) for key, value in logs.items()}


def _finish_epoch(folder: Path, model: keras.Model, state: State, row: dict[str, float]) -> None:
    """Record the epoch, adapt the learning rate, save the checkpoint."""
    state.history.append(row)
    accuracy = row.get("val_accuracy", row["accuracy"])
    is_best = accuracy >= state.best_value
    if is_best:
        state.best_epoch, state.best_value = state.epoch, accuracy
    rate = state.rule.update(accuracy, row["learning_rate"])
    _LOG.debug(
        "epoch %d: accuracy %.4f%s, next learning rate %g",
        state.epoch,
        accuracy,
        " (best so far)" if is_best else "",
        rate,
    )
    model.optimizer.learning_rate = rate
    checkpoint.save(folder, model, state, is_best=is_best)
