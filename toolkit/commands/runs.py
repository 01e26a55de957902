"""``toolkit runs``: the trained runs side by side."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.commands._options import constant
from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import EXISTING, PATH
from toolkit.runs.run import DEFAULT_PARENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolkit.runs.listing import RunRow

_LONGEST = 60  # characters of a value


@click.command()
@click.argument("folder", type=EXISTING, required=False)
@click.option(
    "--sort",
    type=constant("toolkit.runs.listing", "KEYS"),
    default="started",
    show_default=True,
    help="name, accuracy, seconds, …",
)
@click.option("--compare", type=PATH, nargs=2, help="Show what two runs record differently.")
@output_options
def command(
    folder: Path | None, sort: str, compare: tuple[Path, Path] | None, output: Output
) -> None:
    """List the runs in FOLDER with accuracy, parameters, seconds, files and verdicts.

    Without FOLDER: those in runs.

    A verdict is pass after `toolkit verify --golden`, checked after `toolkit export` alone,
    fail for a file written by --force, stale for one made from another model.
    """
    from toolkit.runs.listing import differences, find, list_runs

    folder = folder or DEFAULT_PARENT
    if compare:
        first, second = (find(folder, one) for one in compare)
        found = differences(first, second)
        record = {key: list(values) for key, values in found.items()}
        output.data({"runs": [str(first), str(second)], "differences": record}, _pairs(found))
        return
    rows = list_runs(folder, sort)
    output.data([row.to_json() for row in rows], _text(rows))


def _text(rows: Sequence[RunRow]) -> str:
    from rich.box import SIMPLE
    from rich.table import Table

    from toolkit.commands._reporter import render, wrap

    grid = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    grid.add_column("run", overflow="fold")
    for heading in ("accuracy", "parameters", "seconds"):
        grid.add_column(heading, justify="right", no_wrap=True)
    grid.add_column("files")
    for row in rows:
        grid.add_row(row.name, *_numbers(row), _verdicts(row))
    lines = [
        line for row in rows for text in _problems(row) for line in wrap(f"{row.name}: {text}")
    ]
    return "\n".join([render(grid), *lines])


def _numbers(row: RunRow) -> tuple[str, str, str]:
    return (
        "" if row.accuracy is None else f"{row.accuracy:.2%}",
        "" if row.parameters is None else f"{row.parameters:,}",
        "" if row.seconds is None else f"{row.seconds:,.1f}",
    )


def _verdicts(row: RunRow) -> str:
    if row.status != "finished":
        return row.status
    counts = Counter(file.verdict for file in row.files)
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "none"


def _problems(row: RunRow) -> list[str]:
    if row.problem:
        return [f"{row.status}; {row.problem}"]
    formats: dict[str, list[str]] = {}
    for file in row.files:
        formats.setdefault(file.verdict, []).append(file.format or Path(file.path).name)
    return [f"{verdict}: {', '.join(names)}" for verdict, names in formats.items()]


def _pairs(found: dict[str, tuple[Any, Any]]) -> str:
    if not found:
        return "The two runs record the same."
    return "\n".join(f"{key}: {_short(a)} -> {_short(b)}" for key, (a, b) in found.items())


def _short(value: Any) -> str:
    text = "-" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
