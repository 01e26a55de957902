"""How every converter is run: without its chatter, its errors in one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtime.errors import EdgeError, ExportError
from runtime.terminal.silence import silenced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def converting(format_name: str, reason: Callable[[Exception], str] = str) -> Iterator[None]:
    """Silence a converter and turn whatever it raises into an ExportError.

    Args:
        format_name: named in the message.
        reason: finds the telling part of the converter's message.

    Raises:
        ExportError: the converter failed.
    """
    try:
        with silenced():
            yield
    except EdgeError:
        raise
    except Exception as error:  # converters raise many unrelated kinds
        text = reason(error) or type(error).__name__
        raise ExportError(f"format {format_name}: {text}") from error
