"""Options of a training, as recorded in ``config.json`` and repeated by a resumed training."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import InputError, UnknownNameError
from runtime.host import host
from toolkit.architectures.base import PADDINGS
from toolkit.training.schedules import Cosine, Plateau, Rule, Warmup

if TYPE_CHECKING:
    import keras

_LOG = logging.getLogger("toolkit")
AUTO, FLOAT32, MIXED = "auto", "float32", "mixed_bfloat16"
PRECISIONS = (FLOAT32, MIXED, AUTO)
SCHEDULES = ("plateau", "cosine")
# Values of --optimizer: the class in keras.optimizers, and which of our options it takes.
OPTIMIZERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "adam": ("Adam", ("weight_decay",)),
    "adamw": ("AdamW", ("weight_decay",)),
    "rmsprop": ("RMSprop", ("momentum", "weight_decay")),
    "sgd": ("SGD", ("momentum", "weight_decay")),
}


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Options of a training. The defaults are those of the tutorial.

    Attributes:
        architecture: a registered architecture, or ``package.module:function``.
        padding: of its convolutions.
        epochs: passes over the training images.
        batch_size: images per step.
        optimizer: one of :data:`OPTIMIZERS`.
        learning_rate: of the optimizer, at the start (after the warm-up).
        momentum: of the optimizers that take one; None is Keras's own value.
        weight_decay: decoupled from the loss; None is Keras's own value.
        validation_split: share of the training images that is held out.
        schedule: of the learning rate: ``plateau`` lowers it when the validation accuracy no
            longer rises, ``cosine`` along half a cosine over all epochs.
        plateau_factor: what the learning rate is multiplied with on a plateau.
        plateau_patience: epochs without a rise of the validation accuracy before that.
        warmup: epochs in which the learning rate rises in equal steps to ``learning_rate``.
        augment: whether the training images are transformed at random.
        rotate: largest rotation in degrees, either way.
        shift: largest shift in per cent of the side, either way.
        zoom: largest change of size in per cent.
        seed: of split, weights, dropout, order and augmentation.
        deterministic: the same seed gives the same weights, bit for bit, on one machine.
        limit: use only the first n training images.
        precision: of the training; the saved model is float32. ``auto`` takes
            ``mixed_bfloat16`` if the processor supports it, otherwise ``float32``.
        tensorboard: write logs for TensorBoard into the run folder.
        start: a run folder or ``.keras`` file whose weights the training starts from; an absolute
            path as text after :meth:`resolved`.
        freeze: the first n layers with weights are not trained.

    Example:
        >>> TrainOptions(epochs=5, schedule="cosine", warmup=1).rule()
        Warmup(start=0.001, epochs=1, then=Cosine(start=0.001, epochs=4, ...), done=0)
        >>> TrainOptions(optimizer="adam", momentum=0.9)
        Traceback (most recent call last):
        runtime.errors.InputError: optimizer adam takes no --momentum; these do: rmsprop, sgd
    """

    architecture: str = "tutorial-cnn"
    padding: str = "same"
    epochs: int = 30
    batch_size: int = 86
    optimizer: str = "adam"
    learning_rate: float = 0.001
    momentum: float | None = None
    weight_decay: float | None = None
    validation_split: float = 0.1
    schedule: str = "plateau"
    plateau_factor: float = 0.5
    plateau_patience: int = 3
    warmup: int = 0
    augment: bool = False
    rotate: float = 10.0
    shift: float = 10.0
    zoom: float = 10.0
    seed: int = 0
    deterministic: bool = False
    limit: int | None = None
    precision: str = FLOAT32
    tensorboard: bool = False
    start: Path | str | None = None
    freeze: int = 0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: a field is out of its range, or another one leaves it without effect.
            UnknownNameError: no such optimizer.
        """
        for option, value in (("--epochs", self.epochs), ("--batch-size", self.batch_size)):
            if value < 1:
                raise InputError(f"{option} must be at least 1, not {value}")
        if not 0 < self.learning_rate < float("inf"):
            raise InputError(f"the learning rate must be positive, not {self.learning_rate:g}")
        if not 0 <= self.validation_split < 1:
            raise InputError(
                f"the validation split must lie in [0, 1), not {self.validation_split:g}"
            )
        if not 0 <= self.seed < 2**32:
            raise InputError(f"the seed must lie between 0 and 2**32 - 1, not {self.seed}")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"--limit must be at least 1, not {self.limit}")
        _check_choice("padding", self.padding, PADDINGS)
        _check_choice("precision", self.precision, PRECISIONS)
        _check_optimizer(self)
        _check_schedule(self)
        _check_augmentation(self)
        if self.freeze < 0 or (self.freeze and self.start is None):
            raise InputError(
                f"--freeze {self.freeze}: 0 or more layers of a trained model; "
                "name that model by --from RUN"
            )

    def resolved(self) -> TrainOptions:
        """Return the options for this machine: without ``auto``, with an absolute path."""
        start = str(Path(self.start).resolve()) if self.start else None
        precision = self.precision
        if precision == AUTO:
            precision = MIXED if "bf16" in host().features else FLOAT32
            _LOG.debug("precision auto: %s", precision)
        return replace(self, precision=precision, start=start)

    def new_optimizer(self) -> keras.optimizers.Optimizer:
        """Return the optimizer, at the learning rate of the first epoch."""
        import keras

        name, takes = OPTIMIZERS[self.optimizer]
        settings = {key: getattr(self, key) for key in takes if getattr(self, key) is not None}
        rate = self.learning_rate / (self.warmup + 1)
        optimizer: keras.optimizers.Optimizer = getattr(keras.optimizers, name)(rate, **settings)
        return optimizer

    def rule(self) -> Rule:
        """Return the rule of the learning rate, in its initial state."""
        rule: Plateau | Cosine = Plateau(self.plateau_factor, self.plateau_patience)
        if self.schedule == "cosine":
            rule = Cosine(self.learning_rate, self.epochs - self.warmup)
        return Warmup(self.learning_rate, self.warmup, rule) if self.warmup else rule


_DEFAULTS = {field.name: field.default for field in fields(TrainOptions)}


def _check_choice(kind: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UnknownNameError(kind, value, known)


def _check_optimizer(options: TrainOptions) -> None:
    if options.optimizer not in OPTIMIZERS:
        raise UnknownNameError("optimizer", options.optimizer, OPTIMIZERS)
    for name in ("momentum", "weight_decay"):
        value, option = getattr(options, name), f"--{name.replace('_', '-')}"
        if value is None:
            continue
        if name not in OPTIMIZERS[options.optimizer][1]:
            others = ", ".join(key for key, (_, takes) in OPTIMIZERS.items() if name in takes)
            raise InputError(f"optimizer {options.optimizer} takes no {option}; these do: {others}")
        if not 0 <= value < 1:
            raise InputError(f"{option} must lie in [0, 1), not {value}")


def _check_schedule(options: TrainOptions) -> None:
    _check_choice("schedule", options.schedule, SCHEDULES)
    if not 0 < options.plateau_factor < 1 or options.plateau_patience < 1:
        raise InputError("the plateau factor must lie between 0 and 1, its patience be at least 1")
    if options.schedule != "plateau":
        _refuse_changes(
            options, ("plateau_factor", "plateau_patience"), f"with --schedule {options.schedule}"
        )
    if not 0 <= options.warmup < options.epochs:
        raise InputError(
            f"--warmup must lie between 0 and {options.epochs - 1} for {options.epochs} epochs, "
            f"not {options.warmup}"
        )


def _check_augmentation(options: TrainOptions) -> None:
    if not options.augment:
        _refuse_changes(options, ("rotate", "shift", "zoom"), "without --augment")
    if not 0 <= options.rotate < 180:
        raise InputError(f"--rotate takes 0 to less than 180 degrees, not {options.rotate}")
    for name in ("shift", "zoom"):
        if not 0 <= getattr(options, name) < 100:
            raise InputError(
                f"--{name} takes 0 to less than 100 per cent, not {getattr(options, name)}"
            )


def _refuse_changes(options: TrainOptions, names: tuple[str, ...], where: str) -> None:
    """Refuse options that would be ignored."""
    for name in names:
        if getattr(options, name) != _DEFAULTS[name]:
            raise InputError(f"--{name.replace('_', '-')} has no effect {where}")
