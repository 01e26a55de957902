"""The command ``runtime``: what runs on the device."""

from __future__ import annotations

import click

from runtime.console import LazyGroup

_COMMANDS = {
    "predict": "Classify images with a model file.",
    "info": "Show what a model file says of itself.",
    "verify": "Check that a model file answers here as the Keras model did.",
    "bench": "Measure how fast a model file is here, and what the machine could do.",
    "doctor": "Tell which engines work on this machine, and what mends the others.",
}


_HELP = """
Run an exported model file on this device.

\b
Example: runtime predict mnist-cnn.int8.tflite seven.png
"""


@click.group(
    help=_HELP,
    cls=LazyGroup,
    package="runtime.commands",
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="edge-toolkit", prog_name="runtime")
def main() -> None:
    """Run an exported model file on this device."""
