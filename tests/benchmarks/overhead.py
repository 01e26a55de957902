"""What this project costs on top of an engine: one image, in turns with a loop by hand.

    python tests/benchmarks/overhead.py
    python tests/benchmarks/overhead.py --seconds 10 --json

Each row runs the same file in the same engine with the same settings, one thread, batch 1, on
a uint8 image of the model's size that is already an array:
    engine    the engine alone: input that is already quantized goes in, raw output comes out
    by hand   the shortest loop that answers in probabilities: scale, quantize, run, dequantize
    ours      Classifier.predict_batch: checks of shape, dtype and numbers included
Times are medians in microseconds, taken in turns in one process (runtime.benchmark).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

import runtime
from runtime.benchmark.latency import measure_interleaved
from runtime.terminal.silence import silenced

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Run = Callable[[], NDArray[Any]]

MODELS = Path(__file__).parents[2] / "examples" / "models"
FILES = tuple(f"mnist-cnn.{kind}" for kind in ("int8.tflite", "float32.tflite", "int8.onnx"))


@dataclass(frozen=True, slots=True)
class Overhead:
    """One row; times in microseconds.

    Attributes:
        file: the model file.
        engine_us: the engine alone.
        hand_us: the loop by hand.
        ours_us: ``Classifier.predict_batch``.
        ratio: ours by hand's.
        more_us: ours less hand's.
    """

    file: str
    engine_us: float
    hand_us: float
    ours_us: float
    ratio: float
    more_us: float


def litert(path: Path, image: NDArray[np.uint8]) -> tuple[Run, Run]:
    """Return the engine alone and the loop by hand, for a TFLite file."""
    from ai_edge_litert.interpreter import Interpreter

    with silenced():
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    given, answered = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    place, result = given["index"], answered["index"]
    (scale, zero), (step, offset) = given["quantization"], answered["quantization"]

    def encode() -> NDArray[Any]:
        values = image[..., None].astype(np.float32) / 255
        if not scale:
            return values
        return np.clip(np.rint(values / scale) + zero, -128, 127).astype(np.int8)

    ready = encode()

    def run(batch: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_tensor(place, batch)
        interpreter.invoke()
        return interpreter.get_tensor(result)

    def by_hand() -> NDArray[Any]:
        scores = run(encode())
        return (scores.astype(np.float32) - offset) * step if step else scores

    return lambda: run(ready), by_hand


def onnxruntime(path: Path, image: NDArray[np.uint8]) -> tuple[Run, Run]:
    """Return the engine alone and the loop by hand, for an ONNX file with float input."""
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    given, answered = session.get_inputs()[0].name, session.get_outputs()[0].name

    def encode() -> NDArray[np.float32]:
        return image[..., None].astype(np.float32) / 255

    ready = encode()

    def run(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return session.run([answered], {given: batch})[0]

    return lambda: run(ready), lambda: run(encode())


def measure(path: Path, seconds: float) -> Overhead:
    """Time one file in turns; all three ways must give the same label."""
    image = np.random.default_rng(0).integers(0, 256, (1, 28, 28), np.uint8)
    engine, by_hand = (litert if path.suffix == ".tflite" else onnxruntime)(path, image)
    with silenced():
        classifier = runtime.load(path)
    with classifier:
        wanted, found = by_hand(), classifier.predict_batch(image)
        if np.abs(wanted - found).max() > 1e-5:
            raise click.ClickException(f"{path.name}: the loop by hand answers otherwise")
        ways = (engine, by_hand, lambda: classifier.predict_batch(image))
        alone, hand, ours = (t.median_ms * 1e3 for t in measure_interleaved(ways, seconds))
    figures = (round(value, 1) for value in (alone, hand, ours))
    return Overhead(path.name, *figures, round(ours / hand, 3), round(ours - hand, 1))


def table(rows: list[Overhead]) -> str:
    """Return the rows as Markdown."""
    lines = [
        "|file                    | engine µs| by hand µs|  ours µs| ratio| more µs|",
        "|------------------------|---------:|----------:|--------:|-----:|-------:|",
    ]
    for row in rows:
        times = f"{row.engine_us:10.1f}|{row.hand_us:11.1f}|{row.ours_us:9.1f}"
        lines.append(f"|{row.file:24}|{times}|{row.ratio:6.3f}|{row.more_us:8.1f}|")
    return "\n".join(lines)


@click.command()
@click.option("--seconds", type=float, default=3.0, show_default=True, help="For each way.")
@click.option("--quick", is_flag=True, help="Only see that it works: the figures mean nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(seconds: float, quick: bool, as_json: bool) -> None:
    """Compare Classifier.predict_batch with a loop written by hand."""
    rows = [measure(MODELS / name, 0.1 if quick else seconds) for name in FILES]
    click.echo(json.dumps([asdict(row) for row in rows]) if as_json else table(rows))


if __name__ == "__main__":
    command()
