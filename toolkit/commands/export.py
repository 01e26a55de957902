"""``toolkit export``: turn a Keras model into model files for a device."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporters import formats
from exporters.quantization_options import METHODS, MIN_MAX
from runtime.errors import EXIT_CHECK_FAILED
from runtime.terminal.cli import Names, Output, output_options
from toolkit.commands._options import EXISTING, FOLDER, FORMAT, data_options, override_options

if TYPE_CHECKING:
    from runtime.modelfile.artifact import Artifact
    from toolkit.datasets import DataOptions
    from toolkit.export.attempts import SearchRecord
    from toolkit.trained_model import Overrides, TrainedModel


_HELP = f"""Export MODEL, a run folder or a .keras file [default: the latest run].

Each file is loaded in its engine and compared with Keras on real images before it is
written. With --max-drop, settings are searched on the validation images until a file
loses no more than that: other calibration, then the worst layers left in float, as few
as needed. Formats: {", ".join(formats.registry())} [default: tflite-int8].
"""


@click.command(help=_HELP)
@click.argument("model", type=EXISTING, required=False)
@click.option("--format", "chosen", type=FORMAT, multiple=True, help="May be given several times.")
@click.option("--all", "everything", is_flag=True, help="Every format.")
@click.option("--out", type=FOLDER, help="Folder [default: exports/ in the run, or this one].")
@click.option("--calibration-samples", type=int, default=512, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the calibration draw.")
@click.option(
    "--calibration-method",
    "method",
    type=Names(lambda: METHODS),
    default=MIN_MAX,
    show_default=True,
    help=f"How ranges are taken: {', '.join(METHODS)}.",
)
@click.option("--per-tensor", is_flag=True, help="One scale a layer's weights, not one a channel.")
@click.option("--max-drop", type=float, help="Points of accuracy that may be lost, like 0.5.")
@click.option("--force", is_flag=True, help="Write a file that fails the check, to diagnose it.")
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
    method: str,
    per_tensor: bool,
    max_drop: float | None,
    force: bool,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Export a model; the help text is above, with the formats of the registry."""
    from exporters.calibration import CalibrationOptions
    from exporters.quantization_options import QuantizationOptions
    from toolkit.commands._reporter import RichReporter
    from toolkit.export import export
    from toolkit.export.request import ExportOptions
    from toolkit.quantization_search.search import SearchOptions, export_within
    from toolkit.trained_model import locate

    if chosen and everything:
        raise click.UsageError("use --format or --all, not both")
    names = () if everything else chosen or (export.DEFAULT_FORMAT,)
    exporters = export.select(names)
    options = ExportOptions(
        names,
        out,
        CalibrationOptions(calibration_samples, seed),
        QuantizationOptions(per_channel=not per_tensor, method=method),
        force,
    )
    search = None if max_drop is None else SearchOptions(options, max_drop)
    export.check_formats(options)
    located = locate(model, data, overrides)
    reporter = RichReporter(output)
    trained = located.load(reporter)
    proven = export.with_golden(out or trained.exports, trained.name, exporters)
    failed: dict[str, str] = {}
    mended: dict[str, SearchRecord] = {}
    artifacts = []
    found = (
        export_within(trained, search, reporter)
        if search
        else export.export(trained, options, reporter)
    )
    for one in found:
        if one.error and len(exporters) > 1:
            failed[one.format] = str(one.error)
            continue
        if one.search:
            mended[one.format] = one.search
        artifacts.append(one.artifact)
        output.say(_line(one.artifact))
    _show(artifacts, mended, failed, output)
    if replaced := [artifact.path for artifact in artifacts if artifact.path in proven]:
        reporter.say(_replaced(replaced, trained))
    _conclude(artifacts, failed, trained, output)


def _conclude(
    artifacts: list[Artifact], failed: dict[str, str], trained: TrainedModel, output: Output
) -> None:
    """Say what comes next; end with 1 where a format failed or was written by force."""
    forced = [artifact for artifact in artifacts if _refusal(artifact)]
    if forced:
        output.next(f"toolkit diagnose {shlex.quote(str(forced[0].path))}")
    if failed or forced:
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)
    _say_how_to_use(artifacts[0], trained, output)


def _say_how_to_use(artifact: Artifact, trained: TrainedModel, output: Output) -> None:
    from toolkit.parity.words import keras_warning

    output.say(f"Classes, in the order of the outputs: {', '.join(trained.labels)}")
    if warning := keras_warning(artifact):
        output.say(f"Warning: {warning}")
    output.next(f"runtime predict {shlex.quote(str(artifact.path))} IMAGE")


def _line(artifact: Artifact) -> str:
    manifest = artifact.manifest
    if manifest is None or manifest.accuracy is None:
        return f"{artifact.path.name}  {len(artifact.data):,} bytes"
    found = manifest.accuracy
    return (
        f"{manifest.format:15}{len(artifact.data):>10,} bytes   same label as Keras on "
        f"{round(found.agreement * found.images)} of {found.images} images"
    )


def _replaced(paths: list[Path], trained: TrainedModel) -> str:
    """Say that golden inputs are gone, and how new ones come in."""
    names = ", ".join(path.name for path in paths)
    files = " ".join(shlex.quote(str(path)) for path in paths)
    return (
        f"Note: {names} had golden inputs and a verdict, which went with the old file. Put in "
        f"new ones:\ntoolkit verify {files} --golden --against {' '.join(trained.as_arguments())}"
    )


def _refusal(artifact: Artifact) -> str | None:
    """Return why the check refused a file that was written all the same."""
    return artifact.manifest.quantization.refusal if artifact.manifest else None


def _show(
    artifacts: list[Artifact],
    mended: dict[str, SearchRecord],
    failed: dict[str, str],
    output: Output,
) -> None:
    for record in mended.values():
        output.say(str(record))
    failures = [{"format": name, "error": error} for name, error in failed.items()]
    output.data(
        {"artifacts": [_entry(artifact, mended) for artifact in artifacts], "failed": failures},
        "\n".join(str(artifact.path) for artifact in artifacts),
    )
    for name, error in failed.items():
        about = "" if name in error else f"format {name}: "
        click.echo(f"Error: {about}{error}", err=True)
    for artifact in artifacts:
        if refusal := _refusal(artifact):
            click.echo(
                f"Error: {artifact.path.name} FAILED the check and was written by force: "
                f"{refusal}. Do not deploy it.",
                err=True,
            )


def _entry(artifact: Artifact, mended: dict[str, SearchRecord]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "format": artifact.format,
        "path": str(artifact.path),
        "bytes": len(artifact.data),
        "sha256": artifact.sha256,
    }
    if refusal := _refusal(artifact):
        entry["refusal"] = refusal
    if record := mended.get(artifact.format):
        entry["mending"] = record.to_json()
    return entry
