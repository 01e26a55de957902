"""``toolkit train``: train a model and write a run folder."""

from __future__ import annotations

import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.terminal.cli import Names, Output, output_options
from toolkit import architectures, datasets
from toolkit.architectures.base import PADDINGS
from toolkit.commands._options import EXISTING, FOLDER, data_options
from toolkit.training.options import OPTIMIZERS, PRECISIONS, SCHEDULES

if TYPE_CHECKING:
    from toolkit.datasets import DataOptions
    from toolkit.training.train import TrainResult


def _listed() -> str:
    """Return datasets and architectures with their one-line descriptions, for ``--help``."""
    rows = [_row(name, kind.summary) for name, kind in datasets.registry().items()]
    networks = [_row(name, kind.summary) for name, kind in architectures.registry().items()]
    return "\n".join(["\b", "Datasets:", *rows, "", "\b", "Architectures:", *networks])


def _row(name: str, summary: str) -> str:
    indent = " " * 18
    return textwrap.fill(summary, 76, initial_indent=f"  {name:16}", subsequent_indent=indent)


def _from_file(context: click.Context, option: click.Parameter, path: Path | None) -> None:
    """Take the defaults of all options from a file."""
    del option
    if path is not None:
        from toolkit.training.config import read_config

        found = read_config(path)
        renamed = {"data": "data_path"}
        context.default_map = {renamed.get(key, key): value for key, value in found.items()}


@click.command(epilog=_listed())
@click.option(
    "--config",
    type=EXISTING,
    is_eager=True,
    expose_value=False,
    callback=_from_file,
    help="TOML with options, like the train.toml of a run folder; those typed here win.",
)
@data_options
@click.option(
    "--architecture",
    type=Names(architectures.registry),
    default="tutorial-cnn",
    show_default=True,
    help="One of those below, or your own builder: package.module:function.",
)
@click.option(
    "--padding",
    type=Names(lambda: PADDINGS),
    default="same",
    show_default=True,
    help="same or valid; some networks take only same.",
)
@click.option("--epochs", type=int, default=30, show_default=True)
@click.option("--batch-size", type=int, default=86, show_default=True)
@click.option(
    "--optimizer",
    type=Names(lambda: OPTIMIZERS),
    default="adam",
    show_default=True,
    help="adam, adamw, rmsprop or sgd.",
)
@click.option("--learning-rate", type=float, default=0.001, show_default=True)
@click.option("--momentum", type=float, help="Of sgd and rmsprop, 0 to 1.")
@click.option("--weight-decay", type=float, help="Pull on the weights, for example 0.0005.")
@click.option(
    "--schedule",
    type=Names(lambda: SCHEDULES),
    default="plateau",
    show_default=True,
    help="How the learning rate falls: plateau (halved when the validation accuracy stalls) "
    "or cosine (over all epochs).",
)
@click.option("--plateau-factor", type=float, default=0.5, show_default=True)
@click.option("--plateau-patience", type=int, default=3, show_default=True, help="Epochs.")
@click.option(
    "--warmup", type=int, default=0, show_default=True, help="Epochs in which the rate rises."
)
@click.option("--augment", is_flag=True, help="Rotate, shift and zoom the training images.")
@click.option("--rotate", type=float, default=10.0, show_default=True, help="Degrees at most.")
@click.option("--shift", type=float, default=10.0, show_default=True, help="% of the side at most.")
@click.option("--zoom", type=float, default=10.0, show_default=True, help="% at most.")
@click.option("--from", "start", type=EXISTING, help="A run folder or .keras file to start from.")
@click.option("--freeze", type=int, default=0, show_default=True, help="Layers of it not to train.")
@click.option("--validation-split", type=float, default=0.1, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--deterministic", is_flag=True, help="Same seed, same weights, bit for bit.")
@click.option("--tensorboard", is_flag=True, help="Write TensorBoard's logs into the run folder.")
@click.option("--limit", type=int, help="Train on the first N images only.")
@click.option(
    "--precision",
    type=Names(lambda: PRECISIONS),
    default="float32",
    show_default=True,
    help="float32, mixed_bfloat16, or auto: the second where the processor computes in it.",
)
@click.option(
    "--out", type=FOLDER, default=Path("runs"), show_default=True, help="Folder for runs."
)
@click.option("--resume", type=EXISTING, help="Go on with an interrupted run.")
@output_options
def command(
    data: DataOptions, out: Path, resume: Path | None, output: Output, **options: Any
) -> None:
    """Train a model and write a run folder.

    Without options: the tutorial network on MNIST, 30 epochs. A quick try:
    toolkit train --dataset digits --epochs 10
    """
    from toolkit.commands._reporter import RichReporter
    from toolkit.training import train
    from toolkit.training.options import TrainOptions

    if resume is not None:
        _refuse_new_options()
    recipe = TrainOptions(**options)
    reporter = RichReporter(output)
    try:
        if resume is not None:
            result = train.resume(resume, reporter, data.path)
        else:
            result = train.train(recipe, data, out, reporter)
    except train.TrainingInterruptedError as error:
        raise KeyboardInterrupt(_how_to_go_on(error)) from None
    _show(result, output)


def _refuse_new_options() -> None:
    """A run goes on as it began: refuse options that would be ignored."""
    context = click.get_current_context()
    allowed = {"resume", "data_path", "as_json", "quiet", "debug"}
    for option in context.command.params:
        name = option.name or ""
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name not in allowed:
            raise click.UsageError(
                f"--resume goes on as the run began; {option.opts[0]} is set there"
            )


def _show(result: TrainResult, output: Output) -> None:
    metrics, run = result.metrics, result.run
    record = {
        "run": str(run.path),
        "model": str(run.model),
        "parameters": metrics["parameters"],
        "test_accuracy": metrics["test_accuracy"],
        "epochs": metrics["epochs"],
        "seconds": metrics["seconds"],
    }
    wrong = round((1 - metrics["test_accuracy"]) * metrics["test_images"])
    text = (
        f"Test accuracy {metrics['test_accuracy']:.2%}: wrong on {wrong:,} of "
        f"{metrics['test_images']:,} images it never saw.\n"
        f"Run folder: {run.path} (best epoch {metrics['best_epoch']} of {metrics['epochs']}, "
        f"{metrics['parameters']:,} parameters, {metrics['seconds']:.0f} s)"
    )
    output.data(record, text)
    where = "" if run.path.parent == Path("runs") else f" {shlex.quote(str(run.path))}"
    output.next(f"toolkit export{where} --format tflite-int8")


def _how_to_go_on(error: Any) -> str:
    if error.path is None:
        return "interrupted before the first epoch was done; nothing is kept"
    return (
        f"interrupted after epoch {error.state.epoch}; the best model so far is "
        f"{error.path}/checkpoint/best.keras. "
        f"Go on: toolkit train --resume {shlex.quote(str(error.path))}"
    )
