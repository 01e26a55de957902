"""The command ``runtime``: what runs on the device."""

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
    "info": "Show what a model file says of itself.",
    "verify": "Check that a model file answers here as the Keras model did.",
    "bench": "Measure how fast a model file is here, and what the machine could do.",
    "tune": "Find the fastest engine for a model file here, and remember it.",
    "doctor": "Tell which engines work on this machine, and what mends the others.",
}


_HELP = """
Run an exported model file on this device.

\b
Example: runtime predict mnist-cnn.int8.tflite seven.png
"""

_GARBAGE = 50_000  # objects between two collections, not 700: imports make none to collect


class _Program(LazyGroup):
    """The group, and the process around it where it is called as one."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; without arguments those of the process, which then ends.

        It ends without freeing each object, which takes longer than to classify an image
        (mypy ends in the same way). What was to be done at its end is done.
        """
        if args or kwargs.keys() - {"prog_name"}:
            return super().main(*args, **kwargs)
        gc.set_threshold(_GARBAGE)
        try:
            super().main(**kwargs)
        except SystemExit as end:
            if not isinstance(end.code, int):
                raise
            _leave(end.code)


def _leave(code: int) -> None:
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way
    for stream in filter(None, (sys.stdout, sys.stderr)):  # None where the shell closed it
        with contextlib.suppress(OSError, ValueError):  # its reader is gone, or it is closed
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
