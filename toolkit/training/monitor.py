"""Monitors a training: rules over its history, with advice for the user."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from runtime.errors import EXIT_CHECK_FAILED, EdgeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.training.checkpoint import State

    History = Sequence[dict[str, float]]

_EXPLODED = 1000  # times the loss of chance: Adam at 0.1 reaches 39,000 at once, at 0.03 115
_PATIENCE = 3  # consecutive epochs
_WORSE = 1.1  # times the lowest validation loss
_HIGH_RATE, _LOW_RATE = 0.01, 1e-5
_LONG = 600  # remaining seconds


class TrainingFailedError(EdgeError):
    """A training cannot continue: its loss is NaN, or it does not fit into memory.

    Example::

        try:
            train(options, data, Path("runs"), reporter)
        except TrainingFailedError as error:
            print(error)  # what happened, what to try, and the command to continue
    """

    exit_code = EXIT_CHECK_FAILED

    def with_command(self, command: str | None, state: State) -> TrainingFailedError:
        """Return the error with the command that continues from the last good weights.

        Args:
            command: None if no weights are kept.
            state: of the training.
        """
        if command is None:
            return TrainingFailedError(f"{self}. No epoch was done; nothing is kept")
        return TrainingFailedError(
            f"{self}. The weights of epoch {state.best_epoch} are kept; go on from them: {command}"
        )


def chance_loss(classes: int) -> float:
    """Return the cross-entropy of equal probabilities, in nats: ln(classes).

    Example:
        >>> round(chance_loss(10), 3)
        2.303
    """
    return math.log(max(classes, 2))


def diverged(loss: float, reference: float) -> bool:
    """Whether a loss is NaN or infinite, or has exploded.

    Args:
        loss: of the steps so far.
        reference: the loss of the first step, or of chance if that is higher.

    Example:
        >>> diverged(float("nan"), 2.3), diverged(4.0, 2.3)
        (True, False)
    """
    return not math.isfinite(loss) or loss > _EXPLODED * reference


def divergence(loss: float, where: str, rate: float, *, mixed: bool) -> TrainingFailedError:
    """Return an error that states what happened and what to try.

    Args:
        loss: its last value.
        where: the step and the epoch, as text.
        rate: the learning rate.
        mixed: whether the network computes in 16 bit.

    Example:
        >>> str(divergence(float("nan"), "after epoch 1", 0.1, mixed=False))[:50]
        'the loss is NaN after epoch 1, at learning rate 0.'
    """
    became = "is NaN" if math.isnan(loss) else f"exploded to {loss:.3g}"
    other = " and --precision float32" if mixed else ""
    return TrainingFailedError(
        f"the loss {became} {where}, at learning rate {rate:g}: the training was stopped. "
        f"Try --learning-rate {rate / 10:g}{other}; check that the pixels are scaled"
    )


def halved(batch_size: int) -> int:
    """Return the batch size to try after one that did not fit into memory.

    Raises:
        TrainingFailedError: there is no smaller one.

    Example:
        >>> halved(86)
        43
    """
    if batch_size > 1:
        return batch_size // 2
    raise TrainingFailedError(
        "out of memory with a single image per step: this network is too large for this machine. "
        "Try smaller images (--image-size), a smaller network (--architecture mobilenet-small), "
        "or end other programs"
    )


def near_chance(accuracy: float, share: float) -> bool:
    """Whether an accuracy is hardly better than always predicting the most frequent class.

    Args:
        accuracy: 0…1.
        share: of the images that are of the most frequent class, 0…1.

    Example:
        >>> near_chance(0.12, share=0.1), near_chance(0.5, share=0.1)
        (True, False)
    """
    return accuracy < share + min(0.05, share / 2, (1 - share) / 10)


def _monitored(row: dict[str, float]) -> float:
    return row.get("val_accuracy", row["accuracy"])


def stalled(history: History, share: float) -> bool:
    """Whether the last three epochs were all near chance.

    Example:
        >>> stalled([{"accuracy": 0.1}] * 3, share=0.1)
        True
    """
    watched = [_monitored(row) for row in history[-_PATIENCE:]]
    return len(watched) == _PATIENCE and all(near_chance(value, share) for value in watched)


def low_accuracy(accuracy: float, share: float) -> str | None:
    """Return a warning if an evaluation is near chance, otherwise None.

    Args:
        accuracy: on the evaluated images, 0…1.
        share: of these images that are of the most frequent class, 0…1.

    Example:
        >>> low_accuracy(0.99, share=0.1) is None
        True
    """
    if not near_chance(accuracy, share):
        return None
    return (
        f"Warning: the accuracy is near chance ({accuracy:.1%}; always predicting the most "
        f"frequent class gives {share:.1%}). Likely causes: images of another kind or polarity "
        "than those of the training (--data, --polarity), classes in another order (--labels), "
        "or a training that failed (curves.png of the run)"
    )


def overfits_since(history: History) -> int | None:
    """Return the epoch (from 1) since which validation falls while training rises.

    That is the epoch of the lowest validation loss, if three or more epochs came after it,
    in the last three the validation loss was a tenth higher and the training loss lower, and
    none of them had a higher validation accuracy than any up to that epoch.

    Example:
        >>> def row(loss, val_loss):
        ...     return {"loss": loss, "val_loss": val_loss, "val_accuracy": 0.9}
        >>> overfits_since([row(1.0, 1.0), row(0.5, 1.2), row(0.4, 1.3), row(0.3, 1.4)])
        1
    """
    losses = [row.get("val_loss", math.nan) for row in history]
    if not losses or math.isnan(losses[0]):
        return None
    best = losses.index(min(losses))
    later, last = history[best + 1 :], history[-_PATIENCE:]
    if len(later) < _PATIENCE or max(row["val_accuracy"] for row in last) > max(
        row["val_accuracy"] for row in history[: best + 1]
    ):
        return None
    worse = all(row["val_loss"] > _WORSE * losses[best] for row in last)
    learns = all(row["loss"] < history[best]["loss"] for row in last)
    return best + 1 if worse and learns else None


def remarks(history: History, share: float, epochs: int, *, faster: bool = False) -> list[str]:
    """Return the warnings that apply since the last epoch.

    Args:
        history: one row per epoch, up to now.
        share: of the validation images that are of the most frequent class, 0…1.
        epochs: of the whole training.
        faster: whether this processor could compute in bfloat16 and does not.

    Example:
        >>> slow = [{"accuracy": 0.9, "seconds": 60.0}]
        >>> remarks(slow, share=0.1, epochs=30)[0][:30]
        'about 29 minutes are left. --l'
    """
    found = []
    if _is_new([stalled(history[:n], share) for n in range(1, len(history) + 1)]):
        found.append(_stalled_text(history, share))
    since = overfits_since(history)
    if since and _is_new(
        [overfits_since(history[:n]) is not None for n in range(1, len(history) + 1)]
    ):
        found.append(_overfit_text(history, since))
    left = (epochs - len(history)) * history[-1]["seconds"]
    if len(history) == 1 and left > _LONG:
        found.append(_slow_text(left, faster=faster))
    return found


def _is_new(shown: list[bool]) -> bool:
    return shown[-1] and not any(shown[:-1])


def _stalled_text(history: History, share: float) -> str:
    now, rate = _monitored(history[-1]), history[-1]["learning_rate"]
    best = max(map(_monitored, history))
    if not near_chance(best, share):
        return (
            f"Warning: the training collapsed: the accuracy fell from {best:.1%} to {now:.1%}, and "
            f"has been near chance for {_PATIENCE} epochs. Likely cause: a learning rate of "
            f"{rate:g}, which is too high (try {rate / 10:g}). The most accurate epoch is kept."
        )
    causes = ["labels that do not belong to their images", "pixels that are not scaled"]
    if rate >= _HIGH_RATE or rate <= _LOW_RATE:
        word, other = ("high", rate / 10) if rate >= _HIGH_RATE else ("low", rate * 10)
        causes.insert(0, f"a learning rate of {rate:g}, which is {word} (try {other:g})")
    return (
        f"Warning: after {len(history)} epochs the accuracy is still near chance ({now:.1%}; "
        f"always predicting the most frequent class gives {share:.1%}). "
        f"Likely causes: {'; '.join(causes)}."
    )


def _overfit_text(history: History, since: int) -> str:
    then, now = history[since - 1], history[-1]
    return (
        f"Warning: overfitting since epoch {since}: the validation loss rose from "
        f"{then['val_loss']:.4f} to {now['val_loss']:.4f} while the training loss fell from "
        f"{then['loss']:.4f} to {now['loss']:.4f}. More images or toolkit train --augment help; "
        "the most accurate epoch is the one that is kept."
    )


def _slow_text(left: float, *, faster: bool) -> str:
    quick = "--precision auto computes in bfloat16, which is faster here; " if faster else ""
    return (
        f"about {left / 60:.0f} minutes are left. {quick}--limit 10000 is enough for a first "
        "try, and --architecture mobilenet-small is a small network"
    )
