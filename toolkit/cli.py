"""The command ``toolkit``: what runs on the workstation."""

from __future__ import annotations

import click

from runtime.terminal.cli import LazyGroup

_COMMANDS = {
    "train": "Train a model and write a run folder.",
    "evaluate": "Accuracy, confusion matrix, precision, recall and F1.",
    "export": "Export a Keras model to model files for a device.",
    "verify": "Prove that the model files predict what the Keras model predicts.",
    "diagnose": "Find the layer that makes a model file differ from Keras.",
    "bench": "Time the model files side by side on this machine.",
    "recommend": "Measure the model files on this machine and choose one.",
    "compress": "Make a smaller network with nearly the same predictions.",
    "ensemble": "Average several runs into one model.",
    "explain": "What each layer does and costs, with feature maps.",
    "runs": "List the trained runs side by side.",
    "report": "Write one page about a model, its files and the measurements.",
    "demo": "Train, export, verify and time on digits, offline, in under three minutes.",
}


_HELP = """
Train a Keras CNN, export it quantized, and prove that it predicts as before.

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
    """Train a Keras CNN, export it quantized, and prove that it predicts as before."""
