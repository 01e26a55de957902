"""A progress bar for work of which only the expected time is known."""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.terminal.cli import Output

_INTERVAL = 0.5  # seconds: rare enough to disturb no measurement


@contextmanager
def progress_bar(output: Output, title: str, seconds: float) -> Iterator[None]:
    """Draw click's progress bar with the time left on stderr while the body runs.

    Nothing is drawn if stderr is no terminal, or with ``--quiet`` or ``--json``.

    Example::

        with progress_bar(output, "measuring", options.expected_seconds):
            result = bench(model, options)

    Args:
        output: whether to draw.
        title: what is being done.
        seconds: how long it should take; later the time so far is shown.
    """
    if not output.interactive:
        yield
        return
    stop = Event()
    # An engine that is held silent takes file descriptor 2: draw on a copy of it.
    with os.fdopen(os.dup(2), "w", errors="replace") as terminal:
        drawer = Thread(target=_draw, args=(terminal, title, seconds, stop), daemon=True)
        drawer.start()
        try:
            yield
        finally:
            stop.set()
            drawer.join()


def _draw(terminal: TextIO, title: str, seconds: float, stop: Event) -> None:
    start, steps = perf_counter(), max(1, round(seconds / _INTERVAL))
    with click.progressbar(
        length=steps, label=title, file=terminal, show_percent=False, item_show_func=_text, width=24
    ) as bar:
        while not stop.wait(_INTERVAL):
            late = bar.pos >= steps
            bar.update(1, f"{perf_counter() - start:.0f} s so far" if late else "")


def _text(so_far: str | None) -> str:
    return so_far or ""
