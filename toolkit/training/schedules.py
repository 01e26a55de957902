"""Learning rate schedules whose state can be saved and restored."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Plateau:
    """Lowers the learning rate when the monitored accuracy stops rising.

    The rule of Keras's ReduceLROnPlateau (mode max, min_delta 1e-4), implemented here
    because its state has to be saved with a checkpoint.

    Attributes:
        factor: multiplies the learning rate.
        patience: epochs without a rise before that.
        best: the highest value so far.
        wait: epochs since then.

    Example:
        >>> rule = Plateau(factor=0.5, patience=2)
        >>> [rule.update(accuracy, 0.1) for accuracy in (0.8, 0.8, 0.8)]
        [0.1, 0.1, 0.05]
    """

    factor: float
    patience: int
    best: float = -1.0
    wait: int = 0

    def update(self, value: float, rate: float) -> float:
        """Return the learning rate of the next epoch, given the accuracy of this one."""
        if value > self.best + 1e-4:
            self.best, self.wait = value, 0
            return rate
        self.wait += 1
        if self.wait < self.patience:
            return rate
        self.wait = 0
        return rate * self.factor


@dataclass(slots=True)
class Cosine:
    """Lowers the learning rate along half a cosine, independent of the accuracy.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017, without restarts.

    Attributes:
        start: the learning rate of the first epoch.
        epochs: of the whole training.
        floor: the share of ``start`` that is left at the end.
        done: epochs so far.

    Example:
        >>> rule = Cosine(start=0.1, epochs=2, floor=0.0)
        >>> [round(rule.update(0.9, 0.1), 3) for _ in range(2)]
        [0.05, 0.0]
    """

    start: float
    epochs: int
    floor: float = 0.002
    done: int = 0

    def update(self, value: float, rate: float) -> float:
        """Return the learning rate of the next epoch."""
        del value, rate
        self.done += 1
        share = 0.5 * (1 + math.cos(math.pi * min(self.done / self.epochs, 1.0)))
        return self.start * (self.floor + (1 - self.floor) * share)


@dataclass(slots=True)
class Warmup:
    """Raises the learning rate in equal steps, epoch by epoch, before another rule begins.

    Source: the gradual warm-up of Goyal et al., arXiv:1706.02677, with one step per epoch. The
    first epoch runs at ``start / (epochs + 1)``.

    Attributes:
        start: the learning rate that is reached after ``epochs`` epochs.
        epochs: number of epochs in which it rises.
        then: the rule after that.
        done: epochs so far, counted up to ``epochs``.

    Example:
        >>> rule = Warmup(start=0.3, epochs=2, then=Plateau(factor=0.5, patience=3))
        >>> [round(rule.update(0.9, 0.1), 3) for _ in range(2)]
        [0.2, 0.3]
    """

    start: float
    epochs: int
    then: Plateau | Cosine
    done: int = 0

    def update(self, value: float, rate: float) -> float:
        """Return the learning rate of the next epoch, given the accuracy of this one."""
        if self.done == self.epochs:
            return self.then.update(value, rate)
        self.done += 1
        return self.start * (self.done + 1) / (self.epochs + 1)


Rule = Plateau | Cosine | Warmup
_RULES: dict[str, type[Rule]] = {"plateau": Plateau, "cosine": Cosine, "warmup": Warmup}


def to_json(rule: Rule) -> dict[str, Any]:
    """Return the state of a rule as plain JSON values.

    Example:
        >>> to_json(Plateau(factor=0.5, patience=3))["kind"]
        'plateau'
    """
    (kind,) = (name for name, cls in _RULES.items() if isinstance(rule, cls))
    inner = {"then": to_json(rule.then)} if isinstance(rule, Warmup) else {}
    return {"kind": kind, **asdict(rule), **inner}


def from_json(values: dict[str, Any]) -> Rule:
    """Return the rule with the state that :func:`to_json` returned.

    Raises:
        KeyError: no such rule.
        TypeError: unknown or missing fields.

    Example:
        >>> from_json({"kind": "cosine", "start": 0.1, "epochs": 30, "done": 4}).done
        4
    """
    fields = dict(values)
    if "then" in fields:
        fields["then"] = from_json(fields["then"])
    return _RULES[fields.pop("kind")](**fields)
