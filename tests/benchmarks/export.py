"""``toolkit export --all`` against the bare converter calls for the same formats.

Both are timed in turns in one process, TensorFlow's import left out. The bare calls are what
a script of the converters' own documentation makes: ``TFLiteConverter.from_keras_model`` for
each TFLite format, tf2onnx, ONNX Runtime's float16 converter, its pre-processing and its
``quantize_static``, on the same calibration images. They check nothing. The export also
draws the images, compares every file with Keras in its engine, opens it in the other
engines, seals it, writes it and reads it back.

Run it: ``python tests/benchmarks/export.py [MODEL] --dataset mnist``.
"""

from __future__ import annotations

import copy
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from exporters import formats
from exporters.calibration import CalibrationOptions
from exporters.keras_model.tensorflow_setup import import_tensorflow
from runtime.host import host
from runtime.terminal.cli import Output
from runtime.terminal.silence import silenced
from toolkit.datasets import DataOptions
from toolkit.export import export as exporting
from toolkit.export.request import ExportOptions, draw_calibration
from toolkit.trained_model import TrainedModel, resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

MODEL = Path(__file__).parents[2] / "examples/models/mnist-cnn.keras"
Times = dict[str, tuple[float, float]]  # format: seconds on the clock, seconds of the processor


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: of both in turns.
        samples: calibration images.
        formats: which; empty means all.
        skipped: rounds before them that are not counted: the first pays for imports.
    """

    rounds: int = 3
    samples: int = 512
    formats: tuple[str, ...] = ()
    skipped: int = 1


QUICK = Effort(1, 16, ("tflite", "onnx"), skipped=0)


def bare_calls(
    trained: TrainedModel, images: NDArray[np.float32]
) -> dict[str, Callable[[], bytes]]:
    """Return one call a format, as a script without this project would make it.

    Args:
        trained: the model.
        images: float32 (n, height, width, channels), the calibration images.
    """
    shared: dict[str, Any] = {}  # the float32 ONNX graph, from which the other two are made
    calls = {
        exporter.name: lambda exporter=exporter: _bare_tflite(trained, exporter, images)
        for exporter in formats.registry().values()
        if exporter.suffix == ".tflite"
    }
    return calls | {
        "onnx": lambda: _bare_onnx(trained, shared),
        "onnx-float16": lambda: _bare_onnx_float16(shared),
        "onnx-int8": lambda: _bare_onnx_int8(shared, images),
    }


def _bare_tflite(trained: TrainedModel, exporter: Any, images: NDArray[np.float32]) -> bytes:
    import keras
    import tensorflow as tf

    image = keras.Input(batch_shape=(1, *trained.source.image_shape))
    model = keras.Model(image, trained.source.model(image, training=False))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if exporter.name != "tflite":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if exporter.name == "tflite-float16":
        converter.target_spec.supported_types = [tf.float16]
    if exporter.needs_calibration:
        converter.representative_dataset = lambda: ([row[None]] for row in images)
        converter.target_spec.supported_ops = [_operators(tf, exporter.name)]
    if exporter.name == "tflite-int8":
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _operators(tf: Any, name: str) -> Any:
    if name == "tflite-int8":
        return tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    return tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


def _bare_onnx(trained: TrainedModel, shared: dict[str, Any]) -> bytes:
    import tensorflow as tf
    import tf2onnx

    source = trained.source
    signature = [tf.TensorSpec((None, *source.image_shape), tf.float32, name="image")]
    function = tf.function(lambda x: source.model(x, training=False), input_signature=signature)
    shared["graph"], _ = tf2onnx.convert.from_function(
        function, input_signature=signature, opset=17
    )
    return bytes(shared["graph"].SerializeToString())


def _bare_onnx_float16(shared: dict[str, Any]) -> bytes:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(copy.deepcopy(shared["graph"]), keep_io_types=True)
    return bytes(model.SerializeToString())


def _bare_onnx_int8(shared: dict[str, Any], images: NDArray[np.float32]) -> bytes:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        source, prepared, target = (Path(folder) / f"{n}.onnx" for n in ("a", "b", "c"))
        onnx.save(shared["graph"], source)
        quant_pre_process(source, prepared)
        quantize_static(
            prepared,
            target,
            _Reader(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


class _Reader:
    def __init__(self, images: NDArray[np.float32]) -> None:
        self._rows = ({"image": images[i : i + 64]} for i in range(0, len(images), 64))

    def get_next(self) -> dict[str, Any] | None:
        return next(self._rows, None)


def time_bare(trained: TrainedModel, options: ExportOptions) -> Times:
    """Time each bare call."""
    images = draw_calibration(trained, options.calibration).batch
    calls = bare_calls(trained, images)
    times: Times = {}
    for exporter in exporting.select(options.formats):
        name, start = exporter.name, _clocks()
        with silenced():
            calls[name]()
        times[name] = _since(start)
    return times


def time_export(trained: TrainedModel, options: ExportOptions) -> Times:
    """Time each file of an export of everything; shared work counts where it is done first."""
    times: Times = {}
    start = _clocks()
    for one in exporting.export(trained, options):
        times[one.artifact.format] = _since(start)
        start = _clocks()
    return times


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> tuple[float, float]:
    now = _clocks()
    return now[0] - start[0], now[1] - start[1]


def measure(model: Path, data: DataOptions, what: Effort) -> list[dict[str, Any]]:
    """Time both in turns, each round on a model that is loaded anew.

    Args:
        model: the Keras model.
        data: what it was trained on.
        what: how much to do.

    Returns:
        One row a format, and the sum: the best of all rounds, in seconds.
    """
    found: dict[str, list[Times]] = {"bare": [], "export": []}
    for _ in range(what.skipped + what.rounds):
        for kind, timer in (("bare", time_bare), ("export", time_export)):
            trained = resolve(model, data)
            with tempfile.TemporaryDirectory() as folder:
                calibration = CalibrationOptions(what.samples)
                options = ExportOptions(what.formats, Path(folder), calibration)
                found[kind].append(timer(trained, options))
    best = {kind: _best(times[what.skipped :]) for kind, times in found.items()}
    rows = [_row(name, best["bare"][name], best["export"][name]) for name in best["bare"]]
    sums = [tuple(map(sum, zip(*best[kind].values(), strict=True))) for kind in best]
    return [*rows, _row("all formats", sums[0], sums[1])]


def _best(rounds: list[Times]) -> Times:
    return {
        name: (min(times[name][0] for times in rounds), min(times[name][1] for times in rounds))
        for name in rounds[0]
    }


def _row(name: str, bare: tuple[float, ...], export: tuple[float, ...]) -> dict[str, Any]:
    return {
        "format": name,
        "bare_s": round(bare[0], 3),
        "export_s": round(export[0], 3),
        "ratio": round(export[0] / bare[0], 2),
        "bare_cpu_s": round(bare[1], 3),
        "export_cpu_s": round(export[1], 3),
        "cpu_ratio": round(export[1] / bare[1], 2),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as Markdown."""
    lines = ["| format | bare s | export s | ratio | bare CPU s | export CPU s | ratio |"]
    lines.append("|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        values = [f"{v:.2f}" for v in list(row.values())[1:]]
        lines.append(f"| {row['format']} | {' | '.join(values)} |")
    return "\n".join(lines)


@click.command()
@click.argument("model", type=click.Path(path_type=Path), default=MODEL)
@click.option("--dataset", default="mnist", show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Two formats, one round, offline.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def command(model: Path, dataset: str, rounds: int, quick: bool, as_json: bool) -> None:
    """Time the export of every format against the bare converter calls."""
    import_tensorflow()
    data = DataOptions(name="digits" if quick else dataset)
    rows = measure(model, data, QUICK if quick else Effort(rounds))
    here = host()
    record = {"cpu": here.cpu, "cores": here.cores, "formats": rows}
    Output(as_json).data(record, f"{table(rows)}\n{here.cpu}, {here.cores} cores; best of rounds")


if __name__ == "__main__":
    command()
