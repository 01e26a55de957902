"""One line on the terminal that says what goes on and how long it will take."""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.terminal.cli import Output

_INTERVAL = 0.5  # seconds: rare enough to disturb no measurement
_WIDTH = 20
_CLEAR = "\r\x1b[K"


@contextmanager
def countdown(output: Output, title: str, seconds: float) -> Iterator[None]:
    """Draw a bar with the time left on stderr while the body runs; only if a person watches.

    Args:
        output: says whether a person watches.
        title: what goes on.
        seconds: how long it should take; later the time so far is told.
    """
    if not output.interactive:
        yield
        return
    stop = Event()
    terminal = os.dup(2)  # an engine that is held silent takes file descriptor 2
    drawer = Thread(target=_draw, args=(terminal, title, seconds, stop), daemon=True)
    drawer.start()
    try:
        yield
    finally:
        stop.set()
        drawer.join()
        os.write(terminal, _CLEAR.encode())
        os.close(terminal)


def _draw(terminal: int, title: str, seconds: float, stop: Event) -> None:
    start = perf_counter()
    while not stop.wait(_INTERVAL):
        text = _CLEAR + line(title, perf_counter() - start, seconds)
        os.write(terminal, text.encode(errors="replace"))


def line(title: str, elapsed: float, seconds: float) -> str:
    """Return the text after some seconds."""
    share = min(1.0, elapsed / seconds) if seconds > 0 else 1.0
    bar = ("█" * round(share * _WIDTH)).ljust(_WIDTH, "░")
    left = seconds - elapsed
    when = f"about {left:.0f} s left" if left >= _INTERVAL else f"{elapsed:.0f} s so far"
    return f"{title} {bar} {when}"
