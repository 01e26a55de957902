"""``runtime tune``: measure the engines once, and let ``--backend auto`` take the fastest."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.commands.bench import parse_counts
from runtime.errors import InputError
from runtime.terminal.cli import Existing, Output, output_options
from runtime.terminal.progress import progress_bar

if TYPE_CHECKING:
    from runtime.backends.preferred import Choice, Tuned


@click.command()
@click.argument("model", type=Existing(), required=False)
@click.option("--threads", help="Of one inference, like 1,4 [default: 1, then all cores].")
@click.option("--batch", default="1,8,32", show_default=True, help="Images in one call.")
@click.option("--seconds", type=float, default=0.5, show_default=True, help="For each timing.")
@click.option("--show", is_flag=True, help="List all records.")
@click.option("--clear", is_flag=True, help="Remove all records.")
@output_options
def command(
    model: Path | None,
    threads: str | None,
    batch: str,
    seconds: float,
    show: bool,
    clear: bool,
    output: Output,
) -> None:
    """Find the fastest engine for a MODEL file on this device, and remember it.

    Every installed engine that runs the file with correct output is timed, in turns. From
    then on --backend auto takes the fastest one for the requested --threads if images come
    one by one (predict --watch, runtime.load); predict takes the one with the least time to
    load the file and predict so many images per core. The preferred engine is kept if
    another one gains less than 3 % (and 20 ms, if loading counts). The record is ignored
    when the file, the version of an engine or the processor has changed.
    """
    if sum((model is not None, show, clear)) != 1:
        raise InputError(
            "give one of MODEL, --show and --clear (which removes all): runtime tune MODEL"
        )
    if clear:
        _clear(output)
    elif show:
        _show(output)
    elif model:
        from runtime.benchmark.ranking import RankOptions

        counts = parse_counts(threads, "--threads") if threads else ()
        _tune(model, RankOptions(counts, parse_counts(batch, "--batch"), seconds), output)


def _tune(model: Path, options: Any, output: Output) -> None:
    from runtime.backends import preferred
    from runtime.benchmark.ranking import rank
    from runtime.commands._ranking_text import text

    # first, so that an unwritable cache is an error before the work
    preferred.folder().mkdir(parents=True, exist_ok=True)
    with progress_bar(output, "measuring", options.expected_seconds(model)):
        found = rank(model, options)
    record = found.to_tuned()
    path = preferred.save(record)
    output.data(found.to_json() | {"saved": str(path)}, text(found))
    output.say("\n".join(("Saved for --backend auto:", *_lines(record), f"  {path}")))
    output.next(f"runtime predict {shlex.quote(str(model))} IMAGE")


def _show(output: Output) -> None:
    from runtime.backends import preferred

    records = preferred.saved()
    lines = [line for record in records for line in (_title(record), *_lines(record))]
    output.data([one.to_json() for one in records], "\n".join(lines) or "no records")


def _clear(output: Output) -> None:
    from runtime.backends import preferred

    count = preferred.clear()
    output.data({"cleared": count}, f"{count} record{'' if count == 1 else 's'} removed")


def _title(record: Tuned) -> str:
    from runtime.backends import preferred

    note = "\n  no longer used: the file has changed or is missing; tune it again"
    stale = note if preferred.is_stale(record) else ""
    return f"{record.file}\n  sha256 {record.sha256[:12]}…, {record.tuned_at}{stale}"


def _lines(record: Tuned) -> list[str]:
    """Return which engine ``--backend auto`` takes for which use."""
    uses = [
        (f"one by one, {one.threads} thread{'s' if one.threads > 1 else ''}", one)
        for one in record.one_by_one()
    ]
    if first := record.best(1, 1):
        uses.append(("predict, 1 image", first))
    uses += [(f"predict, from {number:,}", choice) for number, choice in record.by_number()]
    return [_line(use, choice) for use, choice in uses]


def _line(use: str, one: Choice) -> str:
    return f"  {use:23}{one.backend}: {one.image_ms:.4f} ms per image, load {one.load_ms:.0f} ms"
