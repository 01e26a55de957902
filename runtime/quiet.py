"""Keeps the chatter of engines and converters off the terminal, C++ parts included."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMS = (1, 2)  # file descriptors of stdout and stderr


@contextmanager
def captured() -> Iterator[list[str]]:
    """Redirect stdout and stderr, file descriptors included, into a list.

    Yields:
        A list that holds one text, all that was written, once the block has ended.
    """
    lines: list[str] = []
    with tempfile.TemporaryFile() as sink, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _flush()
        saved = [os.dup(stream) for stream in _STREAMS]
        try:
            for stream in _STREAMS:
                os.dup2(sink.fileno(), stream)
            yield lines
        finally:
            _flush()
            for stream, copy in zip(_STREAMS, saved, strict=True):
                os.dup2(copy, stream)
                os.close(copy)
            sink.seek(0)
            lines.append(sink.read().decode("utf-8", "replace"))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
