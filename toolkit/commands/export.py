"""``toolkit export``: turn a Keras model into model files for a device."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from exporters import formats
from runtime.console import Output, output_options
from runtime.errors import EXIT_CHECK_FAILED
from toolkit.commands._options import PATH, data_options, override_options

if TYPE_CHECKING:
    from runtime.artifact import Artifact
    from toolkit.datasets import DataOptions
    from toolkit.subject import Overrides


_HELP = f"""Export MODEL, a run folder or a .keras file [default: the latest run].

Each file is loaded in its engine and compared with Keras on real images before it is
written. Formats: {", ".join(formats.registry())} [default: tflite-int8].
"""


@click.command(help=_HELP)
@click.argument("model", type=PATH, required=False)
@click.option("--format", "chosen", multiple=True, help="May be given several times.")
@click.option("--all", "everything", is_flag=True, help="Every format.")
@click.option("--out", type=PATH, help="Folder [default: exports/ in the run, or this one].")
@click.option("--calibration-samples", type=int, default=512, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the calibration draw.")
@data_options
@override_options
@output_options
def command(
    model: Path | None,
    chosen: tuple[str, ...],
    everything: bool,
    out: Path | None,
    calibration_samples: int,
    seed: int,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Export a model; the help text is above, with the formats of the registry."""
    from exporters.calibration import CalibrationOptions
    from toolkit import exporting
    from toolkit.commands._reporter import RichReporter
    from toolkit.subject import resolve

    if chosen and everything:
        raise click.UsageError("use --format or --all, not both")
    names = () if everything else chosen or (exporting.DEFAULT_FORMAT,)
    exporters = exporting.select(names)  # a mistyped format is told before TensorFlow is loaded
    options = exporting.ExportOptions(names, out, CalibrationOptions(calibration_samples, seed))
    reporter = RichReporter(output)
    subject = resolve(model, data, overrides, reporter)
    failed: dict[str, str] = {}
    artifacts = []
    collect = None if len(exporters) == 1 else lambda name, error: failed.update({name: str(error)})
    for artifact in exporting.export(subject, options, reporter, collect):
        artifacts.append(artifact)
        output.say(_line(artifact))
    _show(artifacts, failed, output)
    if failed:
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)
    output.say(f"Classes, in the order of the outputs: {', '.join(subject.labels)}")
    if warning := exporting.keras_warning(artifacts[0]):
        output.say(f"Warning: {warning}")
    output.next(f"runtime predict {shlex.quote(str(artifacts[0].path))} IMAGE")


def _line(artifact: Artifact) -> str:
    manifest = artifact.manifest
    if manifest is None or manifest.accuracy is None:
        return f"{artifact.path.name}  {len(artifact.data):,} bytes"
    found = manifest.accuracy
    return (
        f"{manifest.format:15}{len(artifact.data):>10,} bytes   same label as Keras on "
        f"{round(found.agreement * found.images)} of {found.images} images"
    )


def _show(artifacts: list[Artifact], failed: dict[str, str], output: Output) -> None:
    record = [
        {
            "format": artifact.manifest.format if artifact.manifest else "unknown",
            "path": str(artifact.path),
            "bytes": len(artifact.data),
            "sha256": artifact.sha256,
        }
        for artifact in artifacts
    ]
    failures = [{"format": name, "error": error} for name, error in failed.items()]
    output.data(
        {"artifacts": record, "failed": failures},
        "\n".join(str(artifact.path) for artifact in artifacts),
    )
    for name, error in failed.items():
        click.echo(f"Error: format {name}: {error}", err=True)
