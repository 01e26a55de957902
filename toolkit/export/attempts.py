"""Records of a search for quantization settings: what it tried and chose, also as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

_WIDTHS = (27, 6, 9, 13, 11, 9)


def row(*cells: str) -> str:
    """Return one line of the table of attempts, at most 80 columns.

    Example:
        >>> row("plain", "0.10", "99.20%", "92,000", "0.051 ms", "passes").split()[:3]
        ['plain', '0.10', '99.20%']
    """
    first, *rest = cells
    columns = [f"{cell:>{width}}" for cell, width in zip(rest, _WIDTHS[1:], strict=True)]
    return f"{first:<{_WIDTHS[0]}}{''.join(columns)}"


def points(drop: float) -> str:
    """Return a loss of accuracy with two digits; a value rounded to zero has no sign.

    Example:
        >>> points(0.456), points(-0.001)
        ('0.46', '0.00')
    """
    return f"{round(drop, 2) + 0.0:.2f}"


HEADING = row("tried", "drop", "same", "bytes", "one image", "verdict")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate file, made in memory and measured on the validation images.

    Attributes:
        what: its settings in words.
        accuracy_drop: Keras's accuracy minus the file's, in points; negative is a gain.
        agreement: share of images with Keras's label, 0…1.
        max_abs_error: largest difference of a probability.
        passes: whether it is within the drop and the budget of its format.
        reasons: what is beyond, in words.
        bytes: size of the engine's file, without manifest.
        latency_ms: median of one image on one thread, on this machine.
        latency_ratio: to that of the plain file, measured in turns with it.
        samples: calibration images; None for a format without calibration.
        method: how ranges were taken from activations; None without calibration.
        per_channel: whether weights are quantized per channel.
        float_layers: names of the layers left in float.

    Example:
        >>> attempt = Attempt("plain", 0.1, 0.992, 0.05, True, (), 92_000, 0.051, 1.0)
        >>> str(attempt).split()
        ['plain', '0.10', '99.20%', '92,000', '0.051', 'ms', 'passes']
    """

    what: str
    accuracy_drop: float
    agreement: float
    max_abs_error: float
    passes: bool
    reasons: tuple[str, ...]
    bytes: int
    latency_ms: float
    latency_ratio: float
    samples: int | None = None
    method: str | None = None
    per_channel: bool = True
    float_layers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        lists = {"reasons": list(self.reasons), "float_layers": list(self.float_layers)}
        return asdict(self) | lists

    def __str__(self) -> str:
        """Return a line under :data:`HEADING`."""
        return row(
            self.what,
            points(self.accuracy_drop),
            f"{self.agreement:.2%}",
            f"{self.bytes:,}",
            f"{self.latency_ms:.3f} ms",
            "passes" if self.passes else "fails",
        )


@dataclass(frozen=True, slots=True)
class SearchRecord:
    """The record of the search for one file.

    Attributes:
        format: of the file.
        max_drop: the limit, in points of accuracy.
        dataset: on which images, in words.
        images: how many.
        attempts: in the order they were made; the first is the plain file.
        chosen: the one that was written.

    Example:
        >>> plain = Attempt("plain", 0.1, 0.992, 0.05, True, (), 92_000, 0.051, 1.0)
        >>> print(SearchRecord("tflite-int8", 0.5, "digits", 360, (plain,), plain))
        tflite-int8: the plain file passes, no other settings were needed.
    """

    format: str
    max_drop: float
    dataset: str
    images: int
    attempts: tuple[Attempt, ...]
    chosen: Attempt

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "max_drop": self.max_drop,
            "dataset": self.dataset,
            "images": self.images,
            "attempts": [attempt.to_json() for attempt in self.attempts],
            "chosen": self.chosen.what,
            "float_layers": list(self.chosen.float_layers),
            "bytes_ratio": self.chosen.bytes / self.attempts[0].bytes,
            "latency_ratio": self.chosen.latency_ratio,
        }

    def __str__(self) -> str:
        """Return as a sentence what was chosen, and what it costs against the plain file."""
        chosen, plain = self.chosen, self.attempts[0]
        if chosen is plain:
            return f"{self.format}: the plain file passes, no other settings were needed."
        size = 100 * (chosen.bytes / plain.bytes - 1)
        names = f" In float: {', '.join(chosen.float_layers)}." if chosen.float_layers else ""
        return (
            f"{self.format}: {chosen.what} loses {points(chosen.accuracy_drop)} points, "
            f"plain {points(plain.accuracy_drop)}. Cost against plain: {size:+.1f} % bytes, "
            f"{chosen.latency_ratio:.2f} times the time.{names}"
        )


def failure(format_name: str, max_drop: float, dataset: str, attempts: tuple[Attempt, ...]) -> str:
    """Return in one line that no settings pass, and which came nearest.

    Args:
        format_name: of the file.
        max_drop: the limit, in points of accuracy.
        dataset: the validation images in words.
        attempts: all that were made.

    Example:
        >>> worse = Attempt("plain", 3.0, 0.9, 0.5, False, ("3.00 points lost",), 9, 0.1, 1.0)
        >>> print(failure("tflite-int8", 0.5, "360 digits", (worse,)))
        tflite-int8: the file does not stay within 0.5 points and its budget on 360 digits;
        nothing was written. Nearest: plain, 3.00 points lost. Allow more with --max-drop, ...
    """
    nearest = best(attempts, max_drop)
    several = f"none of {len(attempts)} settings stays"
    tried = several if len(attempts) > 1 else "the file does not stay"
    return (
        f"{format_name}: {tried} within {max_drop:g} points and its budget on "
        f"{dataset}; nothing was written. Nearest: {nearest.what}, "
        f"{'; '.join(nearest.reasons)}. Allow more with --max-drop, or use another format: "
        "--format tflite-float16"
    )


def best(attempts: tuple[Attempt, ...], max_drop: float) -> Attempt:
    """Return the attempt that exceeds the drop least; of equal ones, the one that agrees most.

    Example:
        >>> first = Attempt("128 images", 0.4, 0.98, 0.1, False, (), 9, 0.1, 1.0)
        >>> second = Attempt("2,048 images", 0.3, 0.99, 0.1, False, (), 9, 0.1, 1.0)
        >>> best((first, second), max_drop=0.5).what  # both are within the drop
        '2,048 images'
    """
    return min(attempts, key=lambda a: (max(0.0, a.accuracy_drop - max_drop), -a.agreement))
