"""Captures the log output of an engine: some name the GPU they use nowhere else."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMS = (1, 2)  # file descriptors of stdout and stderr


@dataclass(slots=True)
class EngineLog:
    """Captured output.

    Attributes:
        text: all lines; empty until the ``with`` block ends.
    """

    text: str = ""


@contextmanager
def captured() -> Iterator[EngineLog]:
    """Capture what C++ and Python code writes to stdout and stderr.

    It acts on the whole process: use it for short calls. The text is available when the
    block has ended, also if it ended with an exception.

    Example::

        with captured() as log:
            model = CompiledModel.from_buffer(data, options=options)
        adapter = proven_adapter(log.text)
    """
    log = EngineLog()
    with tempfile.TemporaryFile() as file:
        _flush()
        saved = [os.dup(stream) for stream in _STREAMS]
        try:
            for stream in _STREAMS:
                os.dup2(file.fileno(), stream)
            yield log
        finally:
            _flush()
            for stream, copy in zip(_STREAMS, saved, strict=True):
                os.dup2(copy, stream)
                os.close(copy)
            file.seek(0)
            log.text = file.read().decode("utf-8", errors="replace")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
