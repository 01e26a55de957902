"""A progress bar with the remaining time, for work of known duration."""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Event, Thread
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.terminal.cli import Output

_INTERVAL = 0.5  # seconds: long enough not to disturb a measurement
_WIDTH = 20
_CLEAR = "\r\x1b[K"


@contextmanager
def countdown(output: Output, title: str, seconds: float) -> Iterator[None]:
    """Draw a progress bar on stderr while the body runs; only on a terminal.

    Args:
        output: whether stderr is a terminal.
        title: description of the work.
        seconds: expected duration; after it the elapsed time is shown.

    Example::

        with countdown(output, "measuring", seconds=10):
            result = bench(classifier)
    """
    if not output.interactive:
        yield
        return
    stop = Event()
    terminal = os.dup(2)  # silenced() redirects file descriptor 2
    thread = Thread(target=_draw, args=(terminal, title, seconds, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        os.write(terminal, _CLEAR.encode())
        os.close(terminal)


def _draw(terminal: int, title: str, seconds: float, stop: Event) -> None:
    start = perf_counter()
    while not stop.wait(_INTERVAL):
        text = _CLEAR + line(title, perf_counter() - start, seconds)
        os.write(terminal, text.encode(errors="replace"))


def line(title: str, elapsed: float, seconds: float) -> str:
    """Return the text of the progress bar.

    Args:
        title: description of the work.
        elapsed: seconds since its start.
        seconds: expected duration.

    Example:
        >>> line("measuring", elapsed=5, seconds=10)
        'measuring ██████████░░░░░░░░░░ about 5 s left'
    """
    share = min(1.0, elapsed / seconds) if seconds > 0 else 1.0
    bar = ("█" * round(share * _WIDTH)).ljust(_WIDTH, "░")
    left = seconds - elapsed
    time = f"about {left:.0f} s left" if left >= _INTERVAL else f"{elapsed:.0f} s so far"
    return f"{title} {bar} {time}"
