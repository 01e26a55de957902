"""From the command line to the answer: whole processes, in turns with scripts by hand.

    python tests/benchmarks/cold_start.py
    python tests/benchmarks/cold_start.py --runs 30 --json

    predict   `runtime predict MODEL IMAGE` against tests/benchmarks/hand_predict.py, the
              shortest script that gives the same answer with the same engine
    help      `runtime --help` and `toolkit --help` against `python -c "import click"`

Times are medians of whole processes that took turns, peaks are the highest resident memory.
All files are in the disk cache, and byte code is written once into a folder of its own, as it
is for an installed package.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import click
from environments import ROOT, Environment
from PIL import Image

from runtime.preprocessing.spec import PreprocessSpec

MODEL = ROOT / "examples" / "models" / "mnist-cnn.int8.tflite"
DIGIT = ROOT / "examples" / "images" / "four.png"
HAND = Path(__file__).with_name("hand_predict.py")
CLICK = Path(__file__).with_name("import_click.py")
BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Start:
    """One row.

    Attributes:
        command: what was started.
        ours_ms: its whole process, in milliseconds.
        hand_ms: that of the script by hand.
        ours_mb: highest resident memory, in MB.
        hand_mb: that of the script by hand.
        time_ratio: ours by hand's.
        memory_ratio: ours by hand's.
    """

    command: str
    ours_ms: float
    hand_ms: float
    ours_mb: float
    hand_mb: float
    time_ratio: float
    memory_ratio: float


def pairs(folder: Path) -> dict[str, tuple[list[object], list[object]]]:
    """Return our command and the script by hand, by name; write the image that both read."""
    image = folder / "framed.png"
    spec = PreprocessSpec(28, 28, fit="center-of-mass", polarity="auto")
    Image.fromarray(spec.from_file(DIGIT)[..., 0]).save(image)
    return {
        "runtime predict": ([BIN / "runtime", "predict", MODEL, image], [HAND, MODEL, image]),
        "runtime --help": ([BIN / "runtime", "--help"], [CLICK]),
        "toolkit --help": ([BIN / "toolkit", "--help"], [CLICK]),
    }


def measure(name: str, pair: tuple[list[object], list[object]], runs: int) -> Start:
    """Time a pair in turns, after one turn that writes the byte code and is not counted."""
    turns = [tuple(_milliseconds(command) for command in pair) for _ in range(runs + 1)][1:]
    ours, hand = (statistics.median(times) for times in zip(*turns, strict=True))
    environment = Environment(Path(sys.prefix))
    peaks = [environment.peak_mb(*command) for command in pair]
    sizes = (round(value, 1) for value in (ours, hand, *peaks))
    return Start(name, *sizes, round(ours / hand, 2), round(peaks[0] / peaks[1], 3))


def _milliseconds(command: list[object]) -> float:
    start = perf_counter()
    subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True)
    return (perf_counter() - start) * 1e3


def table(rows: list[Start]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "|command         | ours ms| hand ms| ratio| ours MB| hand MB| ratio|",
        "|----------------|-------:|-------:|-----:|-------:|-------:|-----:|",
    ]
    for row in rows:
        times = f"{row.ours_ms:8.0f}|{row.hand_ms:8.0f}|{row.time_ratio:6.2f}"
        sizes = f"{row.ours_mb:8.1f}|{row.hand_mb:8.1f}|{row.memory_ratio:6.2f}"
        lines.append(f"|{row.command:16}|{times}|{sizes}|")
    return "\n".join(lines)


@click.command()
@click.option("--runs", type=click.IntRange(min=1), default=15, show_default=True)
@click.option("--quick", is_flag=True, help="Only see that it works: the figures mean nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(runs: int, quick: bool, as_json: bool) -> None:
    """Compare whole processes with scripts written by hand."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        found = pairs(Path(folder)).items()
        rows = [measure(name, pair, 1 if quick else runs) for name, pair in found]
    click.echo(json.dumps([asdict(row) for row in rows]) if as_json else table(rows))


if __name__ == "__main__":
    command()
