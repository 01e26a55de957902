"""Contexts to run a converter in: its output silenced, its errors unified, its time logged."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtime.errors import EdgeError, ExportError
from runtime.terminal.silence import silenced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LOG = logging.getLogger("exporters")


@contextmanager
def converting(format_name: str, reason: Callable[[Exception], str] = str) -> Iterator[None]:
    """Silence a converter and turn whatever it raises into an ExportError.

    Args:
        format_name: named in the message.
        reason: extracts the cause from the converter's message.

    Raises:
        ExportError: the converter failed.

    Example:
        >>> with converting("onnx"):
        ...     raise RuntimeError("unsupported operator")
        Traceback (most recent call last):
        runtime.errors.ExportError: format onnx: unsupported operator
    """
    try:
        with silenced():
            yield
    except EdgeError:
        raise
    except Exception as error:  # converters raise many unrelated kinds
        text = reason(error) or type(error).__name__
        raise ExportError(f"format {format_name}: {text}") from error


@contextmanager
def timed(name: str, target: str) -> Iterator[None]:
    """Log how long a conversion took, at level ``DEBUG``; one that fails is not logged.

    Args:
        name: what is converted.
        target: what it is converted to.

    Example::

        with timed("mnist-cnn", "tflite-int8"):
            payload = convert(model)
    """
    start = time.perf_counter()
    yield
    _LOG.debug("%s: converted to %s in %.2f s", name, target, time.perf_counter() - start)
