"""Suppression of the messages of engines and converters, those of C++ code included."""

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
    """Redirect stdout and stderr to ``os.devnull``, file descriptors included, and drop warnings.

    What an engine prints at start (``Created TensorFlow Lite XNNPACK delegate``) or a
    converter on stdout would otherwise be mixed with the data that a program reads. Errors
    are still raised as exceptions. It affects the whole process: use it for short calls.

    Example::

        with silenced():
            interpreter = Interpreter(model_path="mnist-cnn.int8.tflite")
    """
    with warnings.catch_warnings(), Path(os.devnull).open("w") as devnull:
        warnings.simplefilter("ignore")
        _flush()
        saved = [os.dup(stream) for stream in _STREAMS]
        try:
            for stream in _STREAMS:
                os.dup2(devnull.fileno(), stream)
            # sys.stdout is not always file descriptor 1: a notebook or a test replaces it
            with redirect_stdout(devnull), redirect_stderr(devnull):
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
