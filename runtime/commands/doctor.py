"""``runtime doctor``: what runs on this machine, and what mends the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runtime.console import Output, output_options
from runtime.errors import EXIT_NO_ENGINE

if TYPE_CHECKING:
    from runtime.doctor import DoctorReport


@click.command()
@click.option("--backend", default="auto", show_default=True, help="One engine; auto: all.")
@click.option(
    "--device", default="auto", show_default=True, help="cpu, gpu, or auto: a GPU if one is seen."
)
@output_options
def command(backend: str, device: str, output: Output) -> None:
    """Tell which engines work on this machine, and what mends the others.

    Each engine runs a tiny model, the answer of which is known, in a process of its own.

    Exit code 0: an engine works (with --device gpu: on a GPU); 3: none does.
    """
    from runtime.doctor import DoctorOptions, examine

    report = examine(DoctorOptions(backend, device))
    output.data(report.to_json(), report.to_text())
    output.next(_next(report))
    if not report.healthy:
        raise click.exceptions.Exit(EXIT_NO_ENGINE)


def _next(report: DoctorReport) -> str:
    from runtime.backends import registry

    works = [one for one in report.backends if one.available]
    if not works:
        return report.backends[0].fix or "runtime doctor"
    suffix = registry()[works[0].name].suffixes[0]
    return f"runtime verify MODEL{suffix}"
