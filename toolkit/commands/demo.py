"""``toolkit demo``: the whole path on real digits, offline."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.console import Output, output_options
from runtime.errors import EXIT_CHECK_FAILED
from toolkit.commands._options import PATH


@click.command()
@click.option("--out", type=PATH, default=Path("runs"), show_default=True, help="Folder for runs.")
@click.option("--epochs", type=int, default=12, show_default=True)
@output_options
def command(out: Path, epochs: int, output: Output) -> None:
    """Train on scikit-learn's digits, export every format, verify in every engine."""
    from exporters.tensorflow_setup import prepare_tensorflow

    prepare_tensorflow()
    from toolkit.commands._reporter import RichReporter
    from toolkit.commands.verify import table
    from toolkit.demo import demo

    result = demo(out, RichReporter(output), epochs)
    metrics = result.training.metrics
    output.say(f"Keras: {metrics['test_accuracy']:.2%} right on {metrics['test_images']} images")
    output.data(result.report.to_json() | {"run": str(result.training.run.path)}, table(result.report))
    output.next(f"runtime predict {_int8(result.artifacts)} examples/images")
    if result.report.verdict != "pass":
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


def _int8(artifacts: tuple[object, ...]) -> Path:
    paths = [artifact.path for artifact in artifacts]  # type: ignore[attr-defined]
    return next(path for path in paths if path.name.endswith("int8.tflite"))
