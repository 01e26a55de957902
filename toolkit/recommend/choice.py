"""The choice among measured model files: limits, the Pareto front, and the recommended file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from exporters import formats
from runtime.errors import InputError
from toolkit.parity import PASS, REFUSED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.parity import ArtifactParity

SAME_SPEED = 1.1  # up to 10 % slower counts as equally fast: size decides then
_ROUNDING = 1e-9  # an accuracy delta of -0.001 must not exceed a limit of 0.1 points


@dataclass(frozen=True, slots=True)
class Measured:
    """A model file in an engine, with all that the choice depends on.

    Attributes:
        parity: the verdict of the gate, with format, path, engine and accuracy.
        size: of the file, in bytes.
        latency_ms: median of one image on one thread, preprocessing included; None if it
            does not run.
        peak_memory_mb: of a fresh process that loads it and predicts once, in MB
            (1,000,000 bytes); None if it does not run.
        problem: why latency or memory could not be measured; empty if they could.
        excluded: why it must not be chosen; empty if it may be.
        pareto: whether it is on the Pareto front of those that may be chosen.

    Example:
        >>> from toolkit.parity import ArtifactParity
        >>> entry = Measured(ArtifactParity("onnx-int8", "a.onnx", "onnxruntime", PASS), 92_000)
        >>> entry.variant, entry.size
        ('int8', 92000)
    """

    parity: ArtifactParity
    size: int
    latency_ms: float | None = None
    peak_memory_mb: float | None = None
    problem: str = ""
    excluded: tuple[str, ...] = ()
    pareto: bool = False

    @property
    def drop(self) -> float:
        """Points of accuracy lost against Keras; negative if it gained some."""
        return -100.0 * (self.parity.accuracy_delta or 0.0)

    @property
    def variant(self) -> str:
        """The numbers of its format, like ``float32`` or ``int8``; empty for a foreign file."""
        exporter = formats.registry().get(self.parity.format)
        return exporter.variant if exporter else ""

    @property
    def costs(self) -> tuple[float, float, float, float, float]:
        """What the Pareto front compares, less is better: errors, other labels, ms, bytes, MB.

        Raises:
            ValueError: it was not measured.

        Example::

            errors, other_labels, milliseconds, size, megabytes = entry.costs
        """
        found = (self.parity.accuracy, self.parity.agreement, self.latency_ms, self.peak_memory_mb)
        accuracy, agreement, latency, memory = found
        if accuracy is None or agreement is None or latency is None or memory is None:
            raise ValueError(f"{self.parity.path} was not measured on {self.parity.backend}")
        return (-accuracy, -agreement, latency, self.size, memory)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        judged = ("format", "path", "backend", "verdict", "accuracy", "accuracy_delta", "agreement")
        names = ("latency_ms", "peak_memory_mb", "pareto")
        texts = {"reasons": list(self.parity.reasons), "excluded": list(self.excluded)}
        return (
            {name: getattr(self.parity, name) for name in judged}
            | {name: getattr(self, name) for name in names}
            | {"bytes": self.size}
            | texts
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file must keep besides its parity budget; None is no limit.

    Attributes:
        max_drop: points of accuracy it may lose on the test images; a loss counts even if
            chance alone would explain it.
        max_size: of the file, in bytes.

    Example:
        >>> Limits(max_drop=0.5, max_size=100_000).max_size
        100000
    """

    max_drop: float | None = None
    max_size: int | None = None

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            InputError: a limit is out of its range.
        """
        if self.max_drop is not None and not 0.0 <= self.max_drop <= 100.0:
            raise InputError(f"--max-drop is in points of accuracy, 0…100, not {self.max_drop:g}")
        if self.max_size is not None and self.max_size < 1:
            raise InputError(f"--max-size must be at least 1 byte, not {self.max_size}")

    def broken_by(self, entry: Measured) -> tuple[str, ...]:
        """Return why an entry cannot be chosen, one text each; empty if it can.

        Example:
            >>> from toolkit.parity import ArtifactParity
            >>> entry = Measured(ArtifactParity("onnx", "a.onnx", "onnxruntime", PASS), 368_000)
            >>> Limits(max_size=100_000).broken_by(entry)
            ('368,000 bytes are more than --max-size 100,000',)
        """
        found = [] if entry.parity.verdict == PASS else _gate(entry)
        if self.max_drop is not None and entry.drop > self.max_drop + _ROUNDING:
            found.append(
                f"accuracy is {entry.drop:.2f} points below Keras's (--max-drop {self.max_drop:g})"
            )
        if self.max_size is not None and entry.size > self.max_size:
            found.append(f"{entry.size:,} bytes are more than --max-size {self.max_size:,}")
        return (*found, entry.problem) if entry.problem else tuple(found)


def judge(entries: Sequence[Measured], limits: Limits) -> tuple[Measured, ...]:
    """Mark what is excluded and why, and the Pareto front of the rest.

    Args:
        entries: in any order.
        limits: besides the gate.

    Returns:
        The entries in the same order, with ``excluded`` and ``pareto`` set.

    Example:
        >>> from toolkit.parity import FAIL, ArtifactParity
        >>> failed = Measured(ArtifactParity("onnx", "a.onnx", "onnxruntime", FAIL), 368_000)
        >>> judge([failed], Limits())[0].excluded
        ('fails the parity gate',)
    """
    marked = [replace(entry, excluded=limits.broken_by(entry), pareto=False) for entry in entries]
    front = pareto_front([entry.costs for entry in marked if not entry.excluded])
    return tuple(
        replace(entry, pareto=not entry.excluded and entry.costs in front) for entry in marked
    )


def pareto_front(costs: Sequence[tuple[float, ...]]) -> set[tuple[float, ...]]:
    """Return the rows that no other row dominates.

    A row is dropped if another one is at most as high in every column and lower in one.

    Args:
        costs: one row per candidate, less is better.

    Example:
        >>> sorted(pareto_front([(1.0, 5.0), (2.0, 3.0), (2.0, 5.0)]))
        [(1.0, 5.0), (2.0, 3.0)]
    """
    rows = set(costs)
    return {row for row in rows if not any(_dominates(other, row) for other in rows)}


def pick(entries: Sequence[Measured]) -> Measured | None:
    """Return the recommended one of the judged entries, or None if all are excluded.

    The fastest; among those within 10 % of it the smallest; then the one that needs the
    least memory. Ties go to the faster, then to the one nearer to Keras, so that the
    result is always on the Pareto front.

    Example::

        chosen = pick(judge(entries, Limits(max_drop=0.5)))
        print(chosen.parity.path if chosen else "no file passes")
    """
    allowed = [entry for entry in entries if not entry.excluded]
    if not allowed:
        return None
    return min(as_fast(allowed), key=_order)


def as_fast(entries: Sequence[Measured]) -> list[Measured]:
    """Return the measured entries that are at most 10 % slower than the fastest of them.

    Example::

        rivals = as_fast([entry for entry in entries if not entry.excluded])
    """
    limit = SAME_SPEED * min(entry.costs[2] for entry in entries)
    return [entry for entry in entries if entry.costs[2] <= limit]


def _gate(entry: Measured) -> list[str]:
    gate = "refused" if entry.parity.verdict == REFUSED else "fails the parity gate"
    return [f"{gate}: {reason}" for reason in entry.parity.reasons] or [gate]


def _order(entry: Measured) -> tuple[float, ...]:
    errors, others, latency, size, memory = entry.costs
    return size, memory, latency, others, errors


def _dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
