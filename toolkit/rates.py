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


_RULES: dict[str, type[Plateau | Cosine]] = {"plateau": Plateau, "cosine": Cosine}


def to_json(rule: Plateau | Cosine) -> dict[str, Any]:
    """Return the state of a rule as plain JSON values."""
    (kind,) = (name for name, cls in _RULES.items() if isinstance(rule, cls))
    return {"kind": kind, **asdict(rule)}


def from_json(values: dict[str, Any]) -> Plateau | Cosine:
    """Return the rule that :func:`to_json` gave.

    Raises:
        KeyError: no such rule.
        TypeError: its fields are others.
    """
    fields = dict(values)
    return _RULES[fields.pop("kind")](**fields)
