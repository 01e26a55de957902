"""What a device has to hold: each engine against full TensorFlow, measured on this machine.

    make footprint
    python tests/benchmarks/footprint.py --engine litert --json
    python tests/benchmarks/footprint.py --pi

For each engine: a fresh virtual environment with this project's wheel and the engine's extra,
as pip resolves it today; then `runtime predict` on one image. For TensorFlow: an environment
with tensorflow and Pillow, and the shortest Keras script that reads the same digit from the
.keras file (tests/benchmarks/keras_predict.py).

What the columns mean:
    disk      all files in site-packages in MB (1,000,000 bytes), byte code included, pip and
              setuptools left out
    pkgs      installed distributions, ours included, pip and setuptools left out
    import    the engine in a fresh interpreter (TensorFlow: with keras), s
    load      the same with numpy already there, and opening of the model file, ms
    first     the first answer, ms
    whole     `runtime predict MODEL IMAGE` from start to end, s
    peak      highest resident memory of that process, MB

Times are medians of several fresh processes, after one that is not counted: they are for
files in the disk cache, and the first start from an SD card takes longer.

--pi gives the sizes on a 64-bit Raspberry Pi instead: see tests/benchmarks/arm64.py.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

import arm64
import click
from environments import ROOT, Environment, build_wheel, disk_bytes, package_count

from runtime.backends import registry
from runtime.errors import BackendError, EdgeError
from runtime.terminal.cli import Output
from runtime.workers.probe import probe

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.backends import Backend

    Row = TypeVar("Row")
    Task = Callable[[Path, Path], Row]

MODELS = ROOT / "examples" / "models"
IMAGE = ROOT / "examples" / "images" / "four.png"
DIGIT = "4"
TENSORFLOW = "tensorflow"
SCRIPT = Path(__file__).with_name("keras_predict.py")
COLUMNS = ("disk MB", "pkgs", "import s", "load ms", "first ms", "whole s", "peak MB")


@dataclass(frozen=True, slots=True)
class Footprint:
    """One row of the table.

    Attributes:
        name: the engine's distribution with its version.
        disk_mb: files in site-packages, in MB.
        packages: installed distributions.
        import_s: import of the engine.
        load_ms: import of the engine and opening of the file.
        first_ms: the first answer.
        whole_s: the whole command.
        peak_mb: highest resident memory of that command's process.
    """

    name: str
    disk_mb: float
    packages: int
    import_s: float
    load_ms: float
    first_ms: float
    whole_s: float
    peak_mb: float


def of_engine(backend: type[Backend], runs: int, wheel: Path, folder: Path) -> Footprint:
    """Measure an engine with ``runtime predict``.

    Raises:
        BackendError: it cannot be installed here, does not run, or misreads the digit.
    """
    environment = Environment.make(folder, _with_extra(wheel, backend.name))
    model = MODELS / f"mnist-cnn.int8{backend.suffixes[0]}"
    command = [environment.folder / "bin" / "runtime", "predict", model, IMAGE, "--json"]
    tflite = ".tflite" in backend.suffixes
    module = f"{backend.module}.interpreter" if tflite else backend.module

    def once() -> dict[str, float]:
        found = probe(model, backend.name, python=environment.python)
        if found.error:
            raise BackendError(found.error)
        times = {"load_ms": found.load_ms, "first_ms": found.first_ms}
        return times | _of_process(environment, module, command)[0]

    return _row(environment, backend.package, medians(runs, once))


def of_tensorflow(runs: int, wheel: Path, folder: Path) -> Footprint:
    """Measure the Keras script with full TensorFlow; our wheel is not needed for it.

    Raises:
        BackendError: it cannot be installed here, does not run, or misreads the digit.
    """
    del wheel
    environment = Environment.make(folder, TENSORFLOW, "pillow")
    command = [SCRIPT, MODELS / "mnist-cnn.keras", IMAGE]

    def once() -> dict[str, float]:
        times, answer = _of_process(environment, "tensorflow, keras", command)
        return times | {name: float(answer[name]) for name in ("load_ms", "first_ms")}

    return _row(environment, TENSORFLOW, medians(runs, once))


def _of_process(
    environment: Environment, modules: str, command: list[object]
) -> tuple[dict[str, float], dict[str, str]]:
    """Time an import and a whole command, each in a fresh process; return the answer too."""
    code = f"import time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
    seconds = float(environment.run("-c", code).split()[-1])
    start = perf_counter()
    printed = environment.run(*command)
    whole = perf_counter() - start
    answer: dict[str, str] = json.loads(printed.splitlines()[-1])
    if answer["label"] != DIGIT:
        raise BackendError(f"{environment.folder.name} reads {answer['label']} in {IMAGE.name}")
    peak = environment.peak_mb(*command)
    return {"import_s": seconds, "whole_s": whole, "peak_mb": peak}, answer


def medians(runs: int, once: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure over ``runs`` turns, after one that is not counted."""
    once()
    turns = [once() for _ in range(runs)]
    return {name: round(statistics.median(turn[name] for turn in turns), 3) for name in turns[0]}


def _row(environment: Environment, package: str, figures: dict[str, float]) -> Footprint:
    return Footprint(
        name=f"{package} {environment.version(package)}",
        disk_mb=round(disk_bytes(environment.site_packages) / 1e6, 1),
        packages=package_count(environment.site_packages),
        **figures,
    )


def measure(tasks: dict[str, Task[Row]], output: Output) -> list[Row]:
    """Do each task in a temporary folder of its own, which is removed before the next.

    What cannot be installed or does not run here is said and left out.

    Args:
        tasks: by name; each takes the wheel of this project and an empty folder.
        output: told how it goes on.

    Raises:
        BackendError: the wheel cannot be built, or nothing could be measured.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        for name, task in tasks.items():
            place = Path(folder) / name
            try:
                rows.append(task(wheel, place))
                output.say(f"{name}: measured")
            except EdgeError as error:
                output.say(f"{name} is left out: {error}")
            shutil.rmtree(place, ignore_errors=True)
    if not rows:
        raise BackendError("nothing could be measured here")
    return rows


def footprint_tasks(names: tuple[str, ...], runs: int) -> dict[str, Task[Footprint]]:
    """Return what to measure on this machine."""
    backends = registry()
    return {
        name: partial(of_tensorflow, runs)
        if name == TENSORFLOW
        else partial(of_engine, backends[name], runs)
        for name in names
    }


def size_tasks(names: tuple[str, ...]) -> dict[str, Task[arm64.Size]]:
    """Return what to measure for a Pi."""

    def task(name: str, suite: str, wheel: Path, place: Path) -> arm64.Size:
        mine = [TENSORFLOW, "pillow"] if name == TENSORFLOW else [_with_extra(wheel, name)]
        return arm64.size(name, suite, place, *mine)

    return {
        f"{name} on {suite}": partial(task, name, suite) for name in names for suite in arm64.SUITES
    }


def _with_extra(wheel: Path, name: str) -> str:
    return f"{wheel}[{registry()[name].extra}]"


def table(rows: list[Footprint]) -> str:
    """Return the rows as Markdown that fits a terminal of 80 columns."""
    widest = max(len(row.name) for row in rows)
    lines = [("engine", COLUMNS), ("-" * widest, tuple("-" * (len(c) - 1) + ":" for c in COLUMNS))]
    lines += [(row.name, _cells(row)) for row in rows]
    return "\n".join(_line(name.ljust(widest), cells) for name, cells in lines)


def _line(name: str, cells: tuple[str, ...]) -> str:
    aligned = (cell.rjust(len(column)) for cell, column in zip(cells, COLUMNS, strict=True))
    return f"|{name}|{'|'.join(aligned)}|"


def _cells(row: Footprint) -> tuple[str, ...]:
    return (
        f"{row.disk_mb:,.0f}",
        str(row.packages),
        f"{row.import_s:.2f}",
        f"{row.load_ms:,.0f}",
        f"{row.first_ms:.1f}",
        f"{row.whole_s:.2f}",
        f"{row.peak_mb:.0f}",
    )


@click.command()
@click.option(
    "--engine",
    "engines",
    multiple=True,
    type=click.Choice([*registry(), TENSORFLOW]),
    help="Only this one; may be repeated.",
)
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Processes.")
@click.option("--pi", is_flag=True, help="Sizes on a 64-bit Raspberry Pi instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def command(engines: tuple[str, ...], runs: int, pi: bool, as_json: bool) -> None:
    """Measure what each engine takes on disk, in memory and at start, against TensorFlow."""
    output = Output(as_json)
    names = engines or (*registry(), TENSORFLOW)
    try:
        (_say_sizes if pi else partial(_say_footprints, runs))(names, output)
    except EdgeError as error:
        raise click.ClickException(str(error)) from error


def _say_footprints(runs: int, names: tuple[str, ...], output: Output) -> None:
    rows = measure(footprint_tasks(names, runs), output)
    host = f"{platform.machine()}, Python {platform.python_version()}, {os.cpu_count()} cores"
    record = {"host": host, "runs": runs, "footprints": [asdict(row) for row in rows]}
    output.data(record, f"{table(rows)}\n{host}; medians of {runs} processes each")


def _say_sizes(names: tuple[str, ...], output: Output) -> None:
    rows = measure(size_tasks(names), output)
    output.data({"sizes": [asdict(row) for row in rows]}, arm64.table(rows))


if __name__ == "__main__":
    command()
