"""The command ``runtime``, for devices."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import sys
from typing import Any

import click

from runtime.terminal.cli import LazyGroup

_COMMANDS = {
    "predict": "Classify images with a model file.",
    "info": "Show the contents of a model file.",
    "verify": "Check that a model file predicts what the Keras model did.",
    "bench": "Measure how fast a model file is here, and what the machine could do.",
    "tune": "Find the fastest engine for a model file, and use it from then on.",
    "doctor": "Check which engines work on this machine, and how to fix the others.",
}


_HELP = """
Run an exported model file on this device.

\b
Example: runtime predict mnist-cnn.int8.tflite seven.png
"""

_GARBAGE = 50_000  # objects between two collections, not 700: imports create no garbage


class _Program(LazyGroup):
    """The command group, and its process if it is run as a program."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; without arguments with those of the process, which then exits.

        It exits without freeing each object, which takes longer than to classify an image
        (mypy exits in the same way). Exit handlers run as usual.
        """
        if args or kwargs.keys() - {"prog_name"}:
            return super().main(*args, **kwargs)
        gc.set_threshold(_GARBAGE)
        try:
            super().main(**kwargs)
        except SystemExit as end:
            if not isinstance(end.code, int):
                raise
            _exit(end.code)


def _exit(code: int) -> None:
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where the shell closed it
        with contextlib.suppress(OSError, ValueError):  # its reader has ended, or it is closed
            stream.flush()
    os._exit(code)


@click.group(
    help=_HELP,
    cls=_Program,
    package="runtime.commands",
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="edge-toolkit", prog_name="runtime")
def main() -> None:
    """Run an exported model file on this device."""
