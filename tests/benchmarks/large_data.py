"""Seconds and memory of loading and training on an image folder, by the number of images.

Draws small PNGs, each with a pattern that tells its class and noise of its own, loads the
folder twice (the second time from the cache), reads all batches of an epoch, and trains one,
in a process of its own.
Memory is RssAnon of ``/proc/self/status``, sampled every 20 ms: what cannot be given back.
Pages of the cache file come and go as the system likes and are shown apart. TensorFlow alone
takes about 500 MB.

Run it: ``python tests/benchmarks/large_data.py --images 20000 --images 200000``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from PIL import Image

from runtime.terminal.cli import Output, output_options
from runtime.workers import process

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLASSES, _BATCH = 10, 256


def draw(folder: Path, count: int, side: int) -> None:
    """Write square grey images ``CLASS/NUMBER.png``."""
    rng = np.random.default_rng(0)
    patterns = rng.integers(60, 200, (_CLASSES, side, side))
    for label in range(_CLASSES):
        (folder / str(label)).mkdir(parents=True)
    for number in range(count):
        label = number % _CLASSES
        pixels = patterns[label] + rng.integers(-50, 50, (side, side))
        path = folder / str(label) / f"{number}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(path, compress_level=1)


class Memory:
    """Samples the memory of this process in a thread, in MB."""

    def __init__(self) -> None:
        """Start."""
        self.anonymous = self.file = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def _sample(self) -> None:
        while not self._stop.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            values = dict(line.split(":", 1) for line in lines)
            self.anonymous = max(self.anonymous, _megabytes(values["RssAnon"]))
            self.file = max(self.file, _megabytes(values["RssFile"]))

    def take(self) -> dict[str, float]:
        """Return the peaks since the last call."""
        found = {"anonymous_mb": round(self.anonymous), "file_mb": round(self.file)}
        self.anonymous = self.file = 0.0
        return found


def _megabytes(text: str) -> float:
    return int(text.split(maxsplit=1)[0]) * 1024 / 1e6


def measure(folder: Path, *, training: bool) -> dict[str, Any]:
    """Load a folder twice, read an epoch, train one; return seconds and memory of each."""
    from exporters.keras_model.tensorflow_setup import import_tensorflow
    from toolkit.commands._reporter import RichReporter
    from toolkit.datasets import DataOptions, load_dataset
    from toolkit.training.input_pipeline import Schedule
    from toolkit.training.options import TrainOptions
    from toolkit.training.train import train, training_data

    import_tensorflow()
    memory, found, data = Memory(), {}, DataOptions(path=folder)

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        found[step] = {"seconds": round(time.perf_counter() - started, 1)} | memory.take()

    with timed("first load"):
        load_dataset(data)
    with timed("second load"):
        dataset = load_dataset(data)
    with timed("batches"):
        feed = training_data(dataset, TrainOptions()).epoch_batches(Schedule(1, _BATCH, 0))
        images = sum(len(y) for _, y in feed(1).as_numpy_iterator())
    found |= {
        "images": len(dataset.y_train) + len(dataset.y_test),
        "images_in_batches": images,
        "on_disk": isinstance(dataset.x_train, np.memmap),
        "sha256": dataset.checksum,
    }
    if training:
        options = TrainOptions(
            epochs=1, architecture="mobilenet-small", batch_size=_BATCH, learning_rate=0.01
        )
        with timed("training"), tempfile.TemporaryDirectory() as runs:
            result = train(options, data, Path(runs), RichReporter(Output(quiet=True)))
        found["test_accuracy"] = result.metrics["test_accuracy"]
    return found


def run(count: int, place: Path, *, side: int = 28, training: bool = True) -> dict[str, Any]:
    """Draw images, measure in a fresh process, and return what it found."""
    folder = place / f"{count}"
    draw(folder, count, side)
    command = [sys.executable, str(Path(__file__)), "--measure", str(folder)]
    environment = process.environment() | {"EDGE_CACHE_DIR": str(place / "cache")}
    answer = subprocess.run(
        command + ["--no-training"] * (not training),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    return process.last_json(answer.stdout)


@click.command()
@click.option("--images", multiple=True, type=int, default=(20_000, 200_000), show_default=True)
@click.option("--measure", "folder", type=click.Path(path_type=Path), hidden=True)
@click.option("--training/--no-training", default=True, show_default=True)
@output_options
def main(images: tuple[int, ...], folder: Path | None, training: bool, output: Output) -> None:
    """Measure loading and training on image folders of several sizes."""
    if folder is not None:
        click.echo(json.dumps(measure(folder, training=training)))
        return
    for count in images:
        with tempfile.TemporaryDirectory() as place:
            found = run(count, Path(place), training=training)
        steps = [name for name, value in found.items() if isinstance(value, dict)]
        rows = [
            f"  {step:12} {found[step]['seconds']:7.1f} s  {found[step]['anonymous_mb']:6.0f} MB"
            f"  (and {found[step]['file_mb']:.0f} MB of file pages)"
            for step in steps
        ]
        output.data(found, "\n".join([f"{found['images']:,} images", *rows]))


if __name__ == "__main__":
    main()
