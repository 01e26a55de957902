"""Keeps the chatter of engines and converters off the terminal, C++ parts included."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
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
    with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere:
        warnings.simplefilter("ignore")
        _flush()
        saved = [os.dup(stream) for stream in _STREAMS]
        try:
            for stream in _STREAMS:
                os.dup2(nowhere.fileno(), stream)
            # sys.stdout need not be file descriptor 1: a notebook or a test replaces it
            with redirect_stdout(nowhere), redirect_stderr(nowhere):
                yield
        finally:
            _flush()
            for stream, copy in zip(_STREAMS, saved, strict=True):
                os.dup2(copy, stream)
                os.close(copy)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
