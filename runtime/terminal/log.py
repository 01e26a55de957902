"""The log of the three packages on the terminal, for ``--debug``."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("runtime", "exporters", "toolkit")
_STDERR = 2  # file descriptor


@contextmanager
def log_on_stderr() -> Iterator[None]:
    """Print the log of the three packages on stderr.

    Example::

        with log_on_stderr(), runtime.load("mnist-cnn.int8.tflite") as classifier:
            classifier.predict("seven.png")
    """
    if sys.stderr is None:  # closed by the shell: 2>&-
        yield
        return
    # a copy of the file descriptor: stderr itself is redirected while an engine is opened
    with os.fdopen(os.dup(_STDERR), "w") as stream:
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        loggers = [logging.getLogger(name) for name in PACKAGES]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.removeHandler(handler)
                logger.setLevel(level)
