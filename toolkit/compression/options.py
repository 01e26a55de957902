"""Options of ``toolkit compress``."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import InputError

SPEEDUPS = (16.0, 8.0, 4.0, 2.0)  # tried one after the other if only a drop is given


@dataclass(frozen=True, slots=True)
class CompressOptions:
    """Size and training of the smaller network.

    Attributes:
        target_speedup: how much faster its int8 file must be than that of the teacher,
            measured on this machine; None tries several, the fastest first.
        target_shrink: how many times smaller its int8 file must be.
        max_drop: highest loss of accuracy against the teacher on the validation images,
            in points; None accepts any.
        epochs: of distillation.
        batch_size: images per step.
        learning_rate: at the start; it falls to nearly 0 along a cosine.
        truth: share of the true label in the targets of the student, 0…1; the rest are the
            probabilities of the teacher.
        copies: transformed copies of every training image, labelled by the teacher.
        seed: of all random numbers.

    Example:
        >>> CompressOptions(max_drop=0.5).speedups
        (16.0, 8.0, 4.0, 2.0)
    """

    target_speedup: float | None = None
    target_shrink: float = 1.0
    max_drop: float | None = None
    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 0.002
    truth: float = 0.1
    copies: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: a field is out of its range.
        """
        if self.target_speedup is not None and not 1.0 < self.target_speedup < 1000.0:
            raise InputError(f"a speed-up is above 1 and below 1000, not {self.target_speedup:g}")
        if not 1.0 <= self.target_shrink < 1000.0:
            raise InputError(f"a shrink is at least 1 and below 1000, not {self.target_shrink:g}")
        if self.max_drop is not None and not 0.0 <= self.max_drop <= 100.0:
            raise InputError(f"--max-drop is in points of accuracy, 0…100, not {self.max_drop:g}")
        for name, least in (("epochs", 1), ("batch_size", 1), ("copies", 0)):
            if (value := getattr(self, name)) < least:
                option = name.replace("_", "-")
                raise InputError(f"--{option} must be at least {least}, not {value}")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"the seed must lie between 0 and 2**32 - 1, not {self.seed}")
        if not 0.0 < self.learning_rate < float("inf") or not 0.0 <= self.truth <= 1.0:
            raise InputError("the learning rate must be positive, the share of the truth in 0…1")

    @property
    def speedups(self) -> tuple[float, ...]:
        """The speed-ups to try, the highest first."""
        if self.target_speedup is not None:
            return (self.target_speedup,)
        return SPEEDUPS if self.max_drop is not None else (8.0,)
