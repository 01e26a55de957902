"""How the learning rate changes from epoch to epoch; its state survives an interruption."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Plateau:
    """Lowers the learning rate when the watched accuracy stops rising.

    The rule of Keras's ReduceLROnPlateau (mode max, min_delta 1e-4), kept here
    because its state has to survive an interruption.

    Attributes:
        factor: what the learning rate is multiplied with.
        patience: epochs without a rise before that happens.
        best: the highest value so far.
        wait: epochs since then.
    """

    factor: float
    patience: int
    best: float = -1.0
    wait: int = 0

    def update(self, value: float, rate: float) -> float:
        """Take the value of an epoch and return the learning rate of the next."""
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
    """Lowers the learning rate along half a cosine, whatever the accuracy does.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017, without restarts.

    Attributes:
        start: the rate of the first epoch.
        epochs: of the whole training.
        floor: the share of ``start`` that is left at the end.
        done: epochs so far.
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

    Source: the gradual warm-up of Goyal et al., arXiv:1706.02677, with a step an epoch. The
    first epoch runs at ``start / (epochs + 1)``.

    Attributes:
        start: the rate that is reached after ``epochs`` epochs.
        epochs: how long the rate rises.
        then: the rule after that.
        done: epochs so far, counted up to ``epochs``.
    """

    start: float
    epochs: int
    then: Plateau | Cosine
    done: int = 0

    def update(self, value: float, rate: float) -> float:
        """Take the value of an epoch and return the learning rate of the next."""
        if self.done == self.epochs:
            return self.then.update(value, rate)
        self.done += 1
        return self.start * (self.done + 1) / (self.epochs + 1)


Rule = Plateau | Cosine | Warmup
_RULES: dict[str, type[Rule]] = {"plateau": Plateau, "cosine": Cosine, "warmup": Warmup}


def to_json(rule: Rule) -> dict[str, Any]:
    """Return the state of a rule as plain JSON values."""
    (kind,) = (name for name, cls in _RULES.items() if isinstance(rule, cls))
    inner = {"then": to_json(rule.then)} if isinstance(rule, Warmup) else {}
    return {"kind": kind, **asdict(rule), **inner}


def from_json(values: dict[str, Any]) -> Rule:
    """Return the rule that :func:`to_json` gave.

    Raises:
        KeyError: no such rule.
        TypeError: its fields are others.
    """
    fields = dict(values)
    if "then" in fields:
        fields["then"] = from_json(fields["then"])
    return _RULES[fields.pop("kind")](**fields)
