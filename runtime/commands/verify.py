"""``runtime verify``: the self-test of a model file on this device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runtime.commands._options import EngineChoice, ModelChoice, engine_options, open_classifier
from runtime.errors import EXIT_CHECK_FAILED
from runtime.terminal.cli import Existing, Output, output_options

if TYPE_CHECKING:
    from runtime.selftest import GoldenReport


@click.command()
@click.argument("model", type=Existing())
@engine_options
@output_options
def command(model: Path, engine: EngineChoice, output: Output) -> None:
    """Check that a MODEL file predicts on this device what the Keras model did.

    It replays the golden inputs in the file: a few test images with the predictions of the
    Keras model, added by: toolkit verify --golden. No dataset is needed. Everyone who has
    the file can see these images.

    Exit code 0: it does; 1: it does not; 2: the file has no golden inputs; 3: no engine.
    """
    from runtime.modelfile import artifact as artifacts
    from runtime.selftest import PASS, replay

    with open_classifier(artifacts.read(model), engine, ModelChoice(), output) as classifier:
        report = replay(classifier)
        backend = classifier.backend
    record = report.to_json() | {"accelerator": backend.accelerator}
    output.data(record, _text(report, backend.place))
    if report.verdict != PASS:
        output.say("Copy the file again, or try another engine: --backend")
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


def _text(report: GoldenReport, place: str) -> str:
    result = "no output"
    if report.agreement is not None and report.max_abs_error is not None:
        result = (
            f"Keras's label on {report.agreement:.2%}, largest difference of a probability "
            f"{report.max_abs_error:.2g} ({report.tolerance:.2g} accepted)"
        )
    head = (
        f"{report.images} golden inputs ({report.dataset}) on {report.backend} "
        f"({place}), {report.seconds * 1000:.0f} ms:\n{result}"
    )
    return "\n".join([head, *report.reasons, f"Verdict: {report.verdict}"])
