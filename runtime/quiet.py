"""Keeps the chatter of engines and converters off the terminal, C++ parts included."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAMS = (1, 2)  # file descriptors of stdout and stderr


@contextmanager
def silenced() -> Iterator[None]:
    """Send stdout and stderr to nowhere, file descriptors included, and drop warnings.

    What an engine prints at start (``Created TensorFlow Lite XNNPACK delegate``) or a
    converter on stdout would otherwise stand between the data a program reads. Errors
    still arrive as exceptions. It acts on the whole process: use it for short calls.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _flush()
        saved = [os.dup(stream) for stream in _STREAMS]
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            for stream in _STREAMS:
                os.dup2(nowhere, stream)
            yield
        finally:
            _flush()
            for stream, copy in zip(_STREAMS, saved, strict=True):
                os.dup2(copy, stream)
                os.close(copy)
            os.close(nowhere)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
