"""The command ``toolkit``: what runs on the workstation."""

from __future__ import annotations

import click

from runtime.terminal.cli import LazyGroup

_COMMANDS = {
    "train": "Train a model and write a run folder.",
    "evaluate": "Accuracy, confusion matrix, precision, recall and F1.",
    "export": "Turn a Keras model into model files for a device.",
    "verify": "Prove that the model files answer as the Keras model does.",
    "diagnose": "Find the layer that makes a model file answer differently.",
    "bench": "Time the model files side by side on this machine.",
    "recommend": "Measure the model files on this machine and choose one.",
    "compress": "Make a smaller network that answers as the trained one does.",
    "ensemble": "Average several runs into one model.",
    "explain": "What each layer does, costs and sees, with feature maps.",
    "runs": "The trained runs side by side.",
    "report": "One page that shows a model, its files, and what was measured.",
    "demo": "All of it on real digits, offline, in under three minutes.",
}


_HELP = """
Train a Keras CNN, export it quantized, and prove that it still answers right.

\b
toolkit train                        train on MNIST, write runs/latest
toolkit export --format tflite-int8  one self-describing file
toolkit verify                       compare it with the Keras model
scp runs/latest/exports/*.int8.tflite pi@raspberrypi:
runtime predict mnist-cnn.int8.tflite seven.png     on the device
"""


@click.group(
    help=_HELP,
    cls=LazyGroup,
    package="toolkit.commands",
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="edge-toolkit", prog_name="toolkit")
def main() -> None:
    """Train a Keras CNN, export it quantized, and prove that it still answers right."""
