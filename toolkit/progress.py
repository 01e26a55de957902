"""Progress of long work, reported to the caller instead of printed."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Reporter(Protocol):
    """Receives progress and remarks; the CLIs show them, :data:`SILENT` drops them.

    Example:
        >>> class Printer(Silent):
        ...     def say(self, text):
        ...         print(text)
        >>> Printer().say("Only 30 images are trained on")
        Only 30 images are trained on
    """

    def task(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Begin a task; the context value is called with the number of finished steps."""
        ...

    def say(self, text: str) -> None:
        """Receive a remark for the user."""
        ...


class Silent:
    """A reporter that drops everything, including the epochs of a training.

    Example:
        >>> with SILENT.task("reading images", 100) as tick:
        ...     tick(64)
    """

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show nothing."""
        del title, total
        yield lambda _steps: None

    def say(self, text: str) -> None:
        """Show nothing."""

    @contextmanager
    def epoch(
        self, number: int, epochs: int, steps: int
    ) -> Iterator[Callable[[dict[str, float]], None]]:
        """Show nothing."""
        del number, epochs, steps
        yield lambda _metrics: None

    def epoch_done(self, number: int, epochs: int, row: dict[str, float]) -> None:
        """Show nothing."""


SILENT = Silent()
