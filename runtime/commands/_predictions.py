"""Printing of predictions and of progress for ``runtime predict``."""

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
_SECONDS = 0.5  # between two updates of the progress line
_MANY = 100  # images: the rate is printed for so many or more


class Progress:
    """Counts images, as a line in place on a terminal that does not show the predictions."""

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
        """Print the count and the rate, if there were many."""
        if self._count >= _MANY:
            self._output.say(f"{chr(13) if self._live else ''}{self._text(perf_counter())}")

    def _text(self, now: float) -> str:
        seconds = now - self._start
        rate = self._count / seconds
        return f"{self._count:,} images in {seconds:.1f} s: {rate:,.0f} per second"


def label_width(labels: tuple[str, ...]) -> int:
    """Return the width of the column of labels, in characters.

    Example:
        >>> label_width(("cat", "elephant"))
        8
    """
    return max(min(max(map(len, labels)), _LABEL_WIDTH), len("label"))


class Printer:
    """Prints one line per image as predictions come in, and counts errors.

    Example::

        printer = Printer(output, 3, False, label_width(classifier.labels), {})
        printer.show_all(classifier.predict_pairs(pairs))
        printer.finish()
    """

    def __init__(
        self, output: Output, top: int, explain: bool, width: int, where: dict[str, str]
    ) -> None:
        """Print nothing yet.

        Args:
            output: the options of the output.
            top: number of classes per image.
            explain: whether to print the steps of the preprocessing.
            width: width of the column of labels.
            where: fields for each JSON record: the engine and its device.
        """
        self._output, self._top, self._explain, self._width = output, top, explain, width
        self._where = where
        self._lines: list[str] = []
        self._good = self._bad = 0
        self._progress = Progress(output)

    def show_all(self, groups: Iterable[Iterable[tuple[str, Prediction | InputError]]]) -> None:
        """Print names with their predictions, those of one group together.

        Printing each line on its own takes longer than the inference of a small network.
        """
        for group in groups:
            for name, prediction in group:
                self._show(name, prediction)
            self._print()

    def _print(self) -> None:
        if self._lines:
            text, self._lines = "\n".join(self._lines), []
            click.echo(text)

    def _show(self, name: str, prediction: Prediction | InputError) -> None:
        """Add the lines of one prediction, or print one error."""
        self._progress.step()
        if isinstance(prediction, InputError):
            self._bad += 1
            self._show_error(name, prediction)
            return
        if self._good == 0 and not self._output.as_json:
            self._lines.append(f"{'file':{_NAME_WIDTH}}  {'label':{self._width}}  confidence")
        self._good += 1
        if self._output.as_json:
            self._lines.append(json.dumps(self._record(name, prediction), ensure_ascii=False))
            return
        self._lines.append(self._row(name, prediction))
        if self._explain:
            for step in prediction.steps:
                self._lines.append(f"    {step}")

    def finish(self) -> None:
        """Print the rate; exit with 1 if some inputs were bad, with 2 if all were.

        Raises:
            Exit: click's.
        """
        self._progress.finish()
        if self._bad:
            raise click.exceptions.Exit(EXIT_CHECK_FAILED if self._good else EXIT_BAD_INPUT)

    def _record(self, name: str, prediction: Prediction) -> dict[str, Any]:
        record = {"file": name, **prediction.to_json(self._top), **self._where}
        return record | {"steps": list(prediction.steps)} if self._explain else record

    def _row(self, name: str, prediction: Prediction) -> str:
        bar = ("█" * round(prediction.confidence * _BAR_WIDTH)).ljust(_BAR_WIDTH, "░")
        first, *others = prediction.top(self._top)
        rest = "  ".join(f"{label} {value:.1%}" for label, value in others)
        row = f"{_shorten(name):{_NAME_WIDTH}}  {first[0]:{self._width}}  {bar} {first[1]:6.1%}"
        return f"{row}   {rest}".rstrip()

    def _show_error(self, name: str, error: InputError) -> None:
        if self._output.as_json:
            self._lines.append(json.dumps({"file": name, "error": str(error)}, ensure_ascii=False))
        else:
            text = str(error)
            self._print()  # before the error, which goes to stderr
            click.echo(text if text.startswith(name) else f"{name}: {text}", err=True)


def _shorten(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else "…" + name[-(_NAME_WIDTH - 1) :]
