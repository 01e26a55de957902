"""How long work reports that it goes on, without printing itself."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


class Reporter(Protocol):
    """Receives progress and remarks; the CLIs draw them, a library use drops them."""

    def task(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Open a bar; the value of the context is called with the steps just done."""
        ...

    def say(self, text: str) -> None:
        """Take one remark for the person at the terminal."""
        ...


class Silent:
    """A reporter that drops everything, also the epochs of a training."""

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Open nothing."""
        del title, total
        yield lambda _steps: None

    def say(self, text: str) -> None:
        """Say nothing."""

    @contextmanager
    def epoch(
        self, number: int, epochs: int, steps: int
    ) -> Iterator[Callable[[dict[str, float]], None]]:
        """Open nothing."""
        del number, epochs, steps
        yield lambda _metrics: None

    def epoch_done(self, number: int, epochs: int, row: dict[str, float]) -> None:
        """Say nothing."""


SILENT = Silent()
