"""Progress on the terminal, by rich; nothing is drawn unless stderr is a terminal."""

from __future__ import annotations

import textwrap
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtime.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress
    from rich.table import Table

    from runtime.terminal.cli import Output

WIDTH = 80  # columns
_MINUTES, _HOURS = 120.0, 7200.0  # seconds from which a time is shown in these


class RichReporter:
    """Draws progress bars and prints remarks, both on stderr."""

    def __init__(self, output: Output) -> None:
        """Take the output of the command.

        Raises:
            MissingDependencyError: rich is not installed.
        """
        try:
            from rich.console import Console
        except ImportError as error:
            raise MissingDependencyError("rich", "train", "show progress") from error
        self._output = output
        self._console = Console(stderr=True, quiet=output.quiet)

    def say(self, text: str) -> None:
        """Print a remark in lines of at most 80 columns."""
        self._output.say(wrapped(text))

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Draw a bar with the time left."""
        with self._progress("{task.description}") as progress:
            bar = progress.add_task(title, total=total)
            yield lambda steps: progress.advance(bar, steps)

    @contextmanager
    def epoch(
        self, number: int, epochs: int, steps: int
    ) -> Iterator[Callable[[dict[str, float]], None]]:
        """Draw a bar with loss, accuracy and time left."""
        with self._progress("{task.description} {task.fields[metrics]}") as progress:
            bar = progress.add_task(f"epoch {number}/{epochs}", total=steps, metrics="")

            def tick(logs: dict[str, float]) -> None:
                metrics = "  ".join(f"{key} {value:.4f}" for key, value in logs.items())
                progress.update(bar, advance=1, metrics=metrics)

            yield tick

    def epoch_done(self, number: int, epochs: int, row: dict[str, float]) -> None:
        """Print the metrics of a whole epoch."""
        shown = {"loss": "loss", "accuracy": "accuracy", "val_accuracy": "val"}
        metrics = "  ".join(f"{name} {row[key]:.4f}" for key, name in shown.items() if key in row)
        left = _duration((epochs - number) * row["seconds"])
        rate = f"rate {row['learning_rate']:.2g}"
        self._output.say(f"epoch {number}/{epochs}  {metrics}  {rate}  {left} left")

    def _progress(self, text: str) -> Progress:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        return Progress(
            TextColumn(text),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._output.interactive,
        )


def _duration(seconds: float) -> str:
    """Return a time in a few characters."""
    if seconds < _MINUTES:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < _HOURS else f"{seconds / 3600:.1f} h"


def render(table: Table) -> str:
    """Return a rich table as plain text, at most 80 columns wide."""
    from rich.console import Console

    console = Console(width=WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines() if line.strip())


def wrapped(text: str) -> str:
    """Return a text with its lines wrapped at 80 columns."""
    return "\n".join(line for part in text.splitlines() for line in wrap(part) or [""])


def wrap(text: str, indent: str = "") -> list[str]:
    """Return a sentence as lines of at most 80 columns; words stay whole."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
