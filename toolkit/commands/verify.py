"""``toolkit verify``: prove that the model files answer as the Keras model does."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.errors import EXIT_CHECK_FAILED
from runtime.terminal.cli import Output, output_options
from toolkit.commands._options import (
    FOLDER,
    ArtifactChoice,
    artifact_options,
    budget_options,
    data_options,
    override_options,
)

if TYPE_CHECKING:
    from toolkit.datasets import DataOptions
    from toolkit.parity import ParityReport
    from toolkit.parity.budgets import Budgets
    from toolkit.parity.controls import ControlResult
    from toolkit.parity.matrix import MatrixCell
    from toolkit.parity.verify import Verification
    from toolkit.trained_model import Overrides


@click.command()
@artifact_options
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--matrix", is_flag=True, help="Also every engine, batch 1, 7, 64, 1 and 2 threads.")
@click.option("--flips", type=FOLDER, help="Folder for a sheet of the images that flip.")
@click.option("--golden", is_flag=True, help="Put test images with Keras's answers into the files.")
@click.option("--self-check", is_flag=True, help="Break files on purpose; the gate must fail each.")
@click.option("--markdown", is_flag=True, help="Print the report as Markdown.")
@budget_options
@data_options
@override_options
@output_options
def command(
    choice: ArtifactChoice,
    threads: int,
    matrix: bool,
    flips: Path | None,
    golden: bool,
    self_check: bool,
    markdown: bool,
    budgets: Budgets,
    data: DataOptions,
    overrides: Overrides,
    output: Output,
) -> None:
    """Compare ARTIFACTS with the Keras model on the test images, each in its real engine.

    Without ARTIFACTS: all files in exports/ of the run. Ends with exit code 1 if one
    of them answers differently by more than its budget, or if its weights, labels,
    preprocessing or input range are not those of the Keras model.

    --golden writes a few test images and Keras's answers into each file that passes,
    for `runtime verify` on the device.
    """
    from toolkit.commands._reporter import RichReporter
    from toolkit.parity.verify import VerifyOptions, find_files, prepare
    from toolkit.trained_model import locate

    engine = replace(choice.engine, threads=threads)
    options = VerifyOptions(choice.paths, choice.backend, engine, choice.limit, budgets, golden)
    found = locate(choice.against, data, overrides)
    find_files(found.exports, options)
    reporter = RichReporter(output)
    if budgets.origin:
        reporter.say(f"Limits are taken from {budgets.origin}")
    if flips:
        from toolkit.parity.flips import require_folder

        require_folder(flips)
    job = prepare(found.load(reporter), options, reporter)
    report = job.compare(reporter)
    cells = job.matrix(reporter) if matrix else ()
    controls = job.self_check(reporter) if self_check else ()
    page = _flips(job, report, flips, output) if flips else {}
    _show(report, cells, controls, page, output, markdown=markdown)
    if golden:
        _say_golden(job, output)
    failed = any(cell.verdict == "fail" for cell in cells)
    if report.verdict != "pass" or failed or any(one.caught is False for one in controls):
        raise click.exceptions.Exit(EXIT_CHECK_FAILED)


def _show(
    report: ParityReport,
    cells: tuple[MatrixCell, ...],
    controls: tuple[ControlResult, ...],
    page: dict[str, Any],
    output: Output,
    *,
    markdown: bool,
) -> None:
    from toolkit.commands import _parity_text as text
    from toolkit.parity.markdown import markdown as as_markdown

    record = report.to_json() | page
    record |= {"matrix": [cell.to_json() for cell in cells]} if cells else {}
    record |= {"self_check": [one.to_json() for one in controls]} if controls else {}
    head = as_markdown(report) if markdown else text.report_text(report)
    output.data(record, "\n".join([head, *text.matrix_lines(cells), *text.control_lines(controls)]))


def _flips(job: Verification, report: ParityReport, folder: Path, output: Output) -> dict[str, Any]:
    from toolkit.parity.flips import write_flips

    page = write_flips(report, job.images, folder)
    output.say(f"Flipped images: {page}")
    return {"flips_page": str(page)}


def _say_golden(job: Verification, output: Output) -> None:
    from runtime.modelfile import artifact as artifacts

    sealed = [artifacts.read(file.path) for file in job.files]
    for file in sealed:
        if file.manifest and file.manifest.golden:
            output.say(f"Golden inputs in {file.path}:\n  {file.manifest.golden.summary}")
    ready = [file.path for file in sealed if file.manifest and file.manifest.golden]
    if ready:
        usual = [path for path in ready if path.name.endswith(".int8.tflite")]
        output.next(f"runtime verify {shlex.quote(str((usual or ready)[0]))}")
