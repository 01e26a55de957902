"""How ``runtime predict`` prints its answers, and how fast they come."""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from runtime.errors import EXIT_BAD_INPUT, EXIT_CHECK_FAILED, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime.tasks.classification import Prediction
    from runtime.terminal.cli import Output

_NAME_WIDTH = 28
_BAR_WIDTH = 10
_LABEL_WIDTH = 14
_SECONDS = 0.5  # between two looks of the progress line
_MANY = 100  # images from which on the rate is told


class Progress:
    """Counts images; on a terminal that does not show the answers too, as a line in place."""

    def __init__(self, output: Output) -> None:
        """Start the clock."""
        self._output = output
        self._live = output.interactive and not sys.stdout.isatty()
        self._count = 0
        self._start = self._shown = perf_counter()

    def step(self) -> None:
        """Count one image."""
        self._count += 1
        if self._live and (now := perf_counter()) - self._shown > _SECONDS:
            self._shown = now
            click.echo(f"\r{self._text(now)} ", err=True, nl=False)

    def finish(self) -> None:
        """Tell the count and the rate, if there were many."""
        if self._count >= _MANY:
            self._output.say(f"{chr(13) if self._live else ''}{self._text(perf_counter())}")

    def _text(self, now: float) -> str:
        seconds = now - self._start
        return f"{self._count:,} images in {seconds:.1f} s: {self._count / seconds:,.0f} a second"


def label_width(labels: tuple[str, ...]) -> int:
    """Return how wide the column of labels is, in characters."""
    return max(min(max(map(len, labels)), _LABEL_WIDTH), len("label"))


class Printer:
    """Prints one line an image as it comes, and remembers failures."""

    def __init__(
        self, output: Output, top: int, explain: bool, width: int, where: dict[str, str]
    ) -> None:
        self._output, self._top, self._explain, self._width = output, top, explain, width
        self._where = where
        self._lines: list[str] = []
        self._good = self._bad = 0
        self._progress = Progress(output)

    def show_all(self, groups: Iterable[Iterable[tuple[str, Prediction | InputError]]]) -> None:
        """Print names with their answers as they come, those that come together at once.

        To print each line on its own takes longer than a small network for its image.
        """
        for group in groups:
            for name, answer in group:
                self._show(name, answer)
            self._print()

    def _print(self) -> None:
        if self._lines:
            text, self._lines = "\n".join(self._lines), []
            click.echo(text)

    def _show(self, name: str, answer: Prediction | InputError) -> None:
        """Add the lines of one answer, or print one error."""
        self._progress.step()
        if isinstance(answer, InputError):
            self._bad += 1
            self._show_error(name, answer)
            return
        if self._good == 0 and not self._output.as_json:
            self._lines.append(f"{'file':{_NAME_WIDTH}}  {'label':{self._width}}  confidence")
        self._good += 1
        if self._output.as_json:
            self._lines.append(json.dumps(self._record(name, answer), ensure_ascii=False))
            return
        self._lines.append(self._row(name, answer))
        if self._explain:
            for step in answer.steps:
                self._lines.append(f"    {step}")

    def finish(self) -> None:
        """Print the rate of many; exit with 1 if some inputs were bad, with 2 if all were.

        Raises:
            Exit: click's.
        """
        self._progress.finish()
        if self._bad:
            raise click.exceptions.Exit(EXIT_CHECK_FAILED if self._good else EXIT_BAD_INPUT)

    def _record(self, name: str, answer: Prediction) -> dict[str, Any]:
        record = {"file": name, **answer.to_json(self._top), **self._where}
        return record | {"steps": list(answer.steps)} if self._explain else record

    def _row(self, name: str, answer: Prediction) -> str:
        bar = ("█" * round(answer.confidence * _BAR_WIDTH)).ljust(_BAR_WIDTH, "░")
        first, *others = answer.top(self._top)
        rest = "  ".join(f"{label} {value:.1%}" for label, value in others)
        row = f"{_shorten(name):{_NAME_WIDTH}}  {first[0]:{self._width}}  {bar} {first[1]:6.1%}"
        return f"{row}   {rest}".rstrip()

    def _show_error(self, name: str, error: InputError) -> None:
        if self._output.as_json:
            self._lines.append(json.dumps({"file": name, "error": str(error)}, ensure_ascii=False))
        else:
            text = str(error)
            self._print()  # else it would stand before the answers to earlier images
            click.echo(text if text.startswith(name) else f"{name}: {text}", err=True)


def _shorten(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else "…" + name[-(_NAME_WIDTH - 1) :]
