"""Many images on all cores: workers side by side against one, and by images in a batch.

    python tests/benchmarks/throughput.py examples/models/mnist-cnn.int8.tflite
    python tests/benchmarks/throughput.py MODEL --threads 1,2,4 --json
    python tests/benchmarks/throughput.py MODEL --quick

What is timed, in turns in one process, so that a slow moment hits all:
    array    Classifier.predict_batch on a ready uint8 array
    stream   Classifier.predict_stream on PNG files: read, decode, prepare, answer, in order;
             digits of MNIST where EDGE_DATA_DIR has them, else noise. The processes that do
             it are there already: they take 0.4 s to start
    photos   the same with a JPEG of 1280x1280, 200 times
    batch    one thread, the array in calls of 1 to 256 images

images/s is the median of all turns, best the fastest turn, gain the median over the turns of
the rate against one thread in the same turn. cores is how many cores the process got in its
best turn; on a busy machine that is less than it asked for, and then the gain says little of
the program: CPU us an image (all threads together) does, because n cores give at most n times
the gain that it leaves.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import TYPE_CHECKING

import click
import numpy as np
import preprocessing
from PIL import Image

import runtime
from runtime.terminal.silence import silenced

if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.workers.prediction_process import PredictionProcess

_PHOTOS = 200
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass(frozen=True, slots=True)
class Row:
    """One way to answer the images, over all turns."""

    what: str
    threads: int
    images_per_second: float
    best: float
    gain: float
    cores: float
    cpu_us: float


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--threads", default=f"1,{len(os.sched_getaffinity(0))}", show_default=True)
@click.option("--count", default=2000, show_default=True, help="Images.")
@click.option("--turns", default=9, show_default=True)
@click.option("--quick", is_flag=True, help="64 images, one turn: to see that it works.")
@click.option("--json", "as_json", is_flag=True)
def main(model: Path, threads: str, count: int, turns: int, quick: bool, as_json: bool) -> None:
    """Measure and print."""
    if quick:
        count, turns = 64, 1
    rows = measure(model, tuple(map(int, threads.split(","))), count, turns)
    if as_json:
        load = os.getloadavg()[0]
        found = [asdict(row) for row in rows]
        click.echo(json.dumps({"model": model.name, "load": round(load, 2), "rows": found}))
        return
    click.echo(f"{model.name}, {count} images, {turns} turns, load {os.getloadavg()[0]:.1f}")
    click.echo("what        threads   images/s      best   gain  cores  CPU us an image")
    for row in rows:
        click.echo(
            f"{row.what:10}  {row.threads:7}  {row.images_per_second:9.0f} {row.best:9.0f}  "
            f"{row.gain:5.2f}  {row.cores:5.2f}  {row.cpu_us:15.1f}"
        )


def measure(model: Path, threads: tuple[int, ...], count: int, turns: int) -> list[Row]:
    """Time all ways in turns; the first number of threads is what gain compares with."""
    with ExitStack() as stack:
        with silenced():
            opened = {n: stack.enter_context(runtime.load(model, threads=n)) for n in threads}
        spec = opened[threads[0]].spec
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        images = _images((count, *spec.shape))
        files = _files(images, folder)
        photos = [preprocessing.make(folder)["1280x1280 JPEG"]] * min(_PHOTOS, count)
        team = _processes(opened)
        ways: dict[tuple[str, int], Callable[[], object]] = {}
        for n, one in opened.items():
            ways["array", n] = lambda one=one: one.predict_batch(images)
        for n, one in opened.items():
            ways["stream", n] = lambda one=one: sum(1 for _ in one.predict_stream(files))
        for n, one in opened.items():
            ways["photos", n] = lambda one=one: sum(1 for _ in one.predict_stream(photos))
        for size in _BATCHES:
            ways[f"batch {size}", threads[0]] = lambda size=size: _in_calls(
                opened[threads[0]], images, size
            )
        return _rows(_turns(ways, turns, team), {"photos": len(photos)}, count)


def _processes(opened: dict[int, runtime.Classifier]) -> list[PredictionProcess]:
    """Start the processes, and return all when they are ready."""
    pools = [one.workers.processes(n) for n, one in opened.items()]
    team = [one for pool in pools if pool for one in pool.workers]
    while not all(one.ready for one in team):
        sleep(0.01)
    return team


def _cpu(team: list[PredictionProcess]) -> float:
    """Seconds of processor time of this process and of its processes."""
    ticks = 0
    for one in team:
        stat = Path(f"/proc/{one.pid}/stat").read_text(encoding="utf-8")
        ticks += sum(map(int, stat.rpartition(")")[2].split()[11:13]))
    return process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _images(shape: tuple[int, ...]) -> np.ndarray:
    """Return digits of MNIST where they are there and fit, else noise."""
    digits = Path(os.environ.get("EDGE_DATA_DIR", "no-such-folder")) / "mnist.npz"
    if shape[1:] == (28, 28, 1) and digits.is_file():
        with np.load(digits) as arrays:
            return np.resize(arrays["x_test"], shape)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def _files(images: np.ndarray, folder: Path) -> list[Path]:
    paths = []
    for index, image in enumerate(images):
        paths.append(folder / f"{index:06}.png")
        Image.fromarray(image.squeeze()).save(paths[-1])
    return paths


def _in_calls(classifier: runtime.Classifier, images: np.ndarray, size: int) -> None:
    """Run calls to the engine, which predict_batch would cut into batches of its own."""
    for start in range(0, len(images), size):
        classifier.session.probabilities(images[start : start + size])


def _turns(ways: dict, turns: int, team: list[PredictionProcess]) -> dict:
    times: dict = {key: [] for key in ways}
    for turn in range(turns + 1):
        for key, run in ways.items():
            cpu, wall = _cpu(team), perf_counter()
            run()
            if turn:  # the first warms up
                times[key].append((perf_counter() - wall, _cpu(team) - cpu))
    return times


def _rows(times: dict, counts: dict[str, int], usual: int) -> list[Row]:
    firsts: dict[str, list] = {}
    rows = []
    for (what, threads), found in times.items():
        base = firsts.setdefault("array" if what.startswith("batch") else what, found)
        wall, cpu = min(found)
        count = counts.get(what, usual)
        rows.append(
            Row(
                what=what,
                threads=threads,
                images_per_second=count / statistics.median(one[0] for one in found),
                best=count / wall,
                gain=statistics.median(b[0] / f[0] for b, f in zip(base, found, strict=True)),
                cores=cpu / wall,
                cpu_us=min(one[1] for one in found) / count * 1e6,
            )
        )
    return rows


if __name__ == "__main__":
    main()
