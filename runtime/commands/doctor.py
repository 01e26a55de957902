"""``runtime doctor``: which engines work on this machine, and how to fix the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from runtime.commands._options import DEVICE, ENGINE
from runtime.errors import EXIT_NO_ENGINE, BackendError
from runtime.terminal.cli import Output, output_options
from runtime.terminal.progress import progress_bar

if TYPE_CHECKING:
    from runtime.doctor import DoctorReport


_SECONDS = 3.0  # for all engines, on a workstation
_NUMPY_SECONDS = 120.0
_AGAIN = "pip install --force-reinstall numpy"


@click.command()
@click.option(
    "--backend", type=ENGINE, default="auto", show_default=True, help="One engine; auto: all."
)
@click.option(
    "--device",
    type=DEVICE,
    default="auto",
    show_default=True,
    help="cpu, gpu, or auto: a GPU if one is found.",
)
@output_options
def command(backend: str, device: str, output: Output) -> None:
    """Check which engines work on this machine, and how to fix the others.

    Each engine runs a tiny model with a known output, in a process of its own.

    Exit code 0: an engine works (with --device gpu: on a GPU); 3: none does.
    """
    _require_numpy()
    from runtime.doctor import DoctorOptions, examine

    with progress_bar(output, "trying the engines", _SECONDS):
        report = examine(DoctorOptions(backend, device))
    output.data(report.to_json(), report.to_text())
    output.next(_next(report))
    if not report.healthy:
        raise click.exceptions.Exit(EXIT_NO_ENGINE)


def _require_numpy() -> None:
    """Import numpy in another process first: all engines need it, and this process too.

    Raises:
        BackendError: numpy cannot be imported.
    """
    from runtime.workers.process import WorkerEndedError, WorkerProcess

    service = "runtime.workers.numpy_service"
    with WorkerProcess(service, name="it", keep_stderr=True, seconds=_NUMPY_SECONDS) as process:
        try:
            process.send(None)
            process.receive()
        except (WorkerEndedError, TimeoutError) as error:
            raise _broken_numpy(process.stderr, str(error)) from error


def _broken_numpy(stderr: str, end: str) -> BackendError:
    cause = (stderr.strip().splitlines() or [end])[-1]
    library = re.search(r"(lib[\w.+-]+)\.so\.(\d+): cannot open", stderr)
    fix = f"sudo apt install {library[1]}{library[2]}" if library else _AGAIN
    return BackendError(
        f"numpy cannot be imported, and no engine works without it ({cause}): {fix}"
    )


def _next(report: DoctorReport) -> str:
    from runtime.backends import registry

    working = [one for one in report.backends if one.available]
    if not working:
        return report.backends[0].fix or "runtime doctor"
    suffix = registry()[working[0].name].suffixes[0]
    return f"runtime verify MODEL{suffix}"
