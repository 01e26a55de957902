"""Checkpoints of an unfinished training; a resumed one ends with the same weights."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from runtime.errors import InputError
from toolkit.runs.files import read_json, write_json
from toolkit.runs.run import BEST, CHECKPOINT, FAILED, STATE, best_path
from toolkit.training import schedules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import keras

    from toolkit.training.schedules import Rule


@dataclass(slots=True)
class State:
    """State of a training after an epoch.

    Attributes:
        rule: decides the learning rate.
        history: one row per epoch: loss, accuracy, learning rate, seconds.
        best_epoch: the epoch (from 1) with the highest monitored accuracy; the later
            one if two are equal. 0 before the first.
        best_value: that accuracy.

    Example:
        >>> State(schedules.Plateau(factor=0.5, patience=3)).epoch
        0
    """

    rule: Rule
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = -1.0

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)


def save(folder: Path, model: keras.Model, state: State, *, is_best: bool) -> None:
    """Write the model with its optimizer, then the state that names it.

    Example::

        save(folder, model, state, is_best=state.best_epoch == state.epoch)
    """
    target = folder / CHECKPOINT
    target.mkdir(exist_ok=True)
    last, best = target / _last(state.epoch), target / BEST
    _put(last, model.save)
    if is_best:  # a copy, so that Keras writes the same file only once
        _put(best, lambda path: shutil.copyfile(last, path))
    write_json(target / STATE, asdict(state) | {"rule": schedules.to_json(state.rule)})
    for gone in (_last(state.epoch - 1), FAILED):
        (target / gone).unlink(missing_ok=True)


def mark_failed(folder: Path) -> None:
    """Record that the training failed: resuming from its last epoch would fail again."""
    (folder / CHECKPOINT / FAILED).touch()


def restore(folder: Path) -> tuple[keras.Model, State]:
    """Read back what :func:`save` wrote.

    Raises:
        InputError: the folder contains no checkpoint.

    Example::

        model, state = restore(Path("runs/20260101-120000-mnist-cnn.partial"))
    """
    import keras

    try:
        record: dict[str, Any] = read_json(folder / CHECKPOINT / STATE)
        record["rule"] = schedules.from_json(record["rule"])
        state = State(**record)
        model = keras.models.load_model(folder / CHECKPOINT / _last(state.epoch), safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder} holds no checkpoint to resume from ({error})") from error
    return model, state


def load_best(folder: Path) -> keras.Model:
    """Load the model of the best epoch, without its optimizer."""
    import keras

    return keras.models.load_model(best_path(folder), compile=False, safe_mode=True)


def _last(epoch: int) -> str:
    return f"last-{epoch}.keras"


def _put(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under another name first, so that it is complete or missing."""
    temporary = path.with_name(f".tmp-{path.name}")
    write(temporary)
    temporary.replace(path)
