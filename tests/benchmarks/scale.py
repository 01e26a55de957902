"""How latency, memory, export and calibration time grow, and where it stops being linear.

Three series, each changes one thing: the width of the tutorial network (parameters), the
side of its images, and the number of images. The networks have random weights and see
noise: neither speed nor size depends on what they know. Memory is that of a new process
that loads the file and answers once.

All times are processor time of one thread, so that they hold on a busy machine too; where
one thread works, that is what the clock shows on an idle one.

Run it: ``python tests/benchmarks/scale.py``.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from exporters import formats
from exporters.calibration import CalibrationSet
from exporters.check import CheckImages
from exporters.graphs import FloatGraphs
from exporters.keras_model.source import KerasSource
from exporters.keras_model.tensorflow_setup import import_tensorflow
from exporters.request import ExportRequest
from runtime.backends import BackendOptions, for_suffix
from runtime.benchmark.fresh import measure_fresh
from runtime.host import host
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.manifest import Calibration
from runtime.preprocessing.spec import PreprocessSpec
from runtime.terminal.cli import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

WIDTHS, SIDES, COUNTS = (1.0, 2.0, 3.0, 5.5), (28, 56, 112, 224), (1, 10, 100, 1000)
CALIBRATION = 64  # images
QUICK_WIDTHS, QUICK_SIDES, QUICK_COUNTS = (0.25,), (28,), (1, 4)
FORMATS = ("tflite", "tflite-int8")


@dataclass(frozen=True, slots=True)
class Point:
    """One network.

    Attributes:
        parameters: of the network.
        million_multiply_adds: of one image.
        side: of the image.
        megabytes: size of the float32 and the int8 file.
        latency_ms: of one image on one thread, float32 and int8; the fastest call.
        peak_mb: highest memory of a new process, float32 and int8.
        export_s: from Keras to the file, float32 and int8, the latter with one image.
        calibration_s: what 64 calibration images add to that.
    """

    parameters: int
    million_multiply_adds: float
    side: int
    megabytes: tuple[float, ...]
    latency_ms: tuple[float, ...]
    peak_mb: tuple[float, ...]
    export_s: tuple[float, ...]
    calibration_s: float


@dataclass(frozen=True, slots=True)
class Many:
    """Many images through one int8 file, one thread.

    Attributes:
        images: how many.
        predict_s: to answer all, in one call.
        calibration_s: to export with all as calibration images.
    """

    images: int
    predict_s: float
    calibration_s: float


def network(width: float, side: int) -> KerasSource:
    """Return the tutorial network with other numbers of channels and another image."""
    import keras
    from keras import layers

    def block(channels: int, size: int) -> list[Any]:
        filters = max(1, round(channels * width))
        make = (layers.Conv2D(filters, size, padding="same", activation="relu") for _ in "12")
        return [*make, layers.MaxPooling2D(2)]

    dense = [layers.Flatten(), layers.Dense(round(256 * width), activation="relu")]
    image, scores = keras.Input((side, side, 1)), layers.Dense(10, activation="softmax")
    model = keras.Sequential([image, *block(32, 5), *block(64, 3), *dense, scores])
    return KerasSource(model, Path("noise.keras"), "0" * 64)


def request_for(source: KerasSource, count: int, out: Path) -> ExportRequest:
    """Return a request with noise for calibration."""
    side = source.image_shape[0]
    noise = np.random.default_rng(0).random((count, side, side, 1), dtype=np.float32)
    record = Calibration("noise", count, 0, "0" * 64, "min-max")
    return ExportRequest(
        graphs=FloatGraphs(source),
        name="noise",
        labels=tuple("0123456789"),
        spec=PreprocessSpec(side, side, 1),
        check=CheckImages(noise[:1], np.zeros(1, np.int64), "noise"),
        calibration=CalibrationSet(noise, record),
        dataset="noise",
        out=out,
    )


def drafted(request: ExportRequest, name: str) -> tuple[Path, float]:
    """Convert, write the file as the converter gave it, and return the seconds it took."""
    start = time.process_time()
    draft = formats.registry()[name]().draft(request)
    seconds = time.process_time() - start
    draft.path.write_bytes(draft.data)
    return draft.path, seconds


def busy(call: Callable[[], object], seconds: float) -> float:
    """Return the processor time of the fastest of some calls, in seconds; three at least."""
    call()
    found: list[float] = []
    end = time.process_time() + seconds
    while len(found) < 3 or time.process_time() < end:
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def measure_point(width: float, side: int, folder: Path, seconds: float) -> Point:
    """Export one network and time its files."""
    source = network(width, side)
    one = request_for(source, 1, folder)
    made = [drafted(one, name) for name in FORMATS]
    many = drafted(request_for(source, CALIBRATION, folder), "tflite-int8")
    paths = [path for path, _ in made]
    image = one.check.batch
    engines = [for_suffix(".tflite")[0](artifacts.read(path)) for path in paths]
    latency = tuple(busy(lambda e=engine: e.run(image), seconds) * 1e3 for engine in engines)
    for engine in engines:
        engine.close()
    name = for_suffix(".tflite")[0].name
    fresh = [measure_fresh(path, name, BackendOptions(), processes=1) for path in paths]
    return Point(
        parameters=int(source.model.count_params()),
        million_multiply_adds=(source.multiply_adds or 0) / 1e6,
        side=side,
        megabytes=tuple(path.stat().st_size / 1e6 for path in paths),
        latency_ms=latency,
        peak_mb=tuple(one.peak_rss_mb for one in fresh),
        export_s=tuple(seconds for _, seconds in made),
        calibration_s=max(0.0, many[1] - made[1][1]),
    )


def measure_many(counts: tuple[int, ...], folder: Path, seconds: float) -> Iterator[Many]:
    """Send more and more images through the tutorial network."""
    source = network(1.0, 28)
    for count in counts:
        request = request_for(source, count, folder)
        path, calibration = drafted(request, "tflite-int8")
        images: NDArray[np.float32] = request.require_calibration("int8").batch
        with for_suffix(".tflite")[0](artifacts.read(path)) as engine:
            engine.run(images[:1])
            predict = busy(lambda e=engine, i=images: e.run(i), seconds)
        yield Many(count, predict, calibration)


def tables(points: list[Point], many: list[Many]) -> str:
    """Return both tables as Markdown; pairs are float32 / int8."""
    heads = ("parameters", "side", "M mult-adds", "MB", "ms an image", "peak MB", "export s")
    lines = [f"| {' | '.join(heads)} | calibration s |", "|---:" * (len(heads) + 1) + "|"]
    for p in points:
        pairs = (
            " / ".join(f"{value:{form}}" for value in values)
            for values, form in (
                (p.megabytes, ".1f"),
                (p.latency_ms, ".2f"),
                (p.peak_mb, ".0f"),
                (p.export_s, ".1f"),
            )
        )
        first = f"{p.parameters:,} | {p.side} | {p.million_multiply_adds:,.1f}"
        lines.append(f"| {first} | {' | '.join(pairs)} | {p.calibration_s:.1f} |")
    lines += ["", "| images | predict s | ms an image | int8 export s |", "|---:|---:|---:|---:|"]
    for m in many:
        each = m.predict_s / m.images * 1e3
        lines.append(f"| {m.images:,} | {m.predict_s:.4f} | {each:.3f} | {m.calibration_s:.1f} |")
    return "\n".join(lines)


@click.command()
@click.option("--quick", is_flag=True, help="One small network.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def command(quick: bool, as_json: bool) -> None:
    """Measure how everything grows."""
    import_tensorflow()
    output = Output(as_json)
    widths, sides, counts = (WIDTHS, SIDES, COUNTS)
    if quick:
        widths, sides, counts = QUICK_WIDTHS, QUICK_SIDES, QUICK_COUNTS
    wanted = dict.fromkeys([(w, 28) for w in widths] + [(widths[0], s) for s in sides])
    with tempfile.TemporaryDirectory() as folder:
        if not quick:
            measure_point(widths[0], 28, Path(folder), 0.05)  # pays for imports
        points = []
        for width, side in wanted:
            points.append(measure_point(width, side, Path(folder), 0.05 if quick else 1.0))
            output.say(f"width {width:g}, side {side}: measured")
        many = list(measure_many(counts, Path(folder), 0.05 if quick else 0.5))
    here = host()
    rows = {"networks": [asdict(p) for p in points], "images": [asdict(m) for m in many]}
    record = {"cpu": here.cpu, "cores": here.cores, **rows}
    output.data(
        record,
        f"{tables(points, many)}\n{here.cpu}, {here.cores} cores, one thread, processor time",
    )


if __name__ == "__main__":
    command()
