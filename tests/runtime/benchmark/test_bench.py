"""One file, measured as a whole, with the real engine."""

import json

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime.backends import BackendOptions
from runtime.benchmark import bench as module
from runtime.benchmark.bench import BenchOptions, bench, settled
from runtime.benchmark.fresh import measure_fresh
from runtime.benchmark.picture import SIZE, picture
from runtime.benchmark.throughput import images_per_second, measure_throughput
from runtime.errors import BackendError, InputError
from runtime.host import PowerState
from runtime.modelfile import artifact as artifacts

KEYS = {
    *("backend", "device", "threads", "latency_ms", "images_per_second", "load_ms", "first_ms"),
    *("peak_rss_mb", "host", "path", "sha256", "bytes", "seconds", "versions", "measured_at"),
    *("multiply_adds", "multiply_adds_per_second", "power", "notes"),
    *("preprocess_ms", "image", "throughput", "call", "backend_version", "format"),
}


@pytest.fixture(scope="module")
def record(int8_file):
    options = BenchOptions(seconds=0.4, threads=(1, 2), batches=(1, 4))
    return json.loads(json.dumps(bench(int8_file, options).to_json()))


def test_the_record_is_complete(record, int8_file):
    assert record.keys() >= KEYS
    file = artifacts.read(int8_file)
    assert (record["sha256"], record["bytes"]) == (file.sha256, len(file.data))
    assert (record["backend"], record["device"], record["threads"]) == ("litert", "cpu", 1)
    assert {"cpu", "cores", "architecture"} <= record["host"].keys()
    assert {"python", "numpy"} <= record["versions"].keys()
    assert record["power"]["tainted"] is False
    assert record["call"].startswith("backend.run_images")


def test_the_times_fit_together(record):
    latency = record["latency_ms"]
    assert latency["samples"] >= 64
    assert 0.01 < latency["min"] <= latency["p50"] <= latency["p90"] < 1000
    assert record["preprocess_ms"]["min"] > latency["min"]  # a whole PNG for 28x28 pixels
    assert record["load_ms"] > record["first_ms"] > 0
    assert 20 < record["peak_rss_mb"] < 250
    assert record["fresh_processes"] == 3


def test_throughput_covers_batches_and_threads(record):
    cells = [(one["threads"], one["batch"]) for one in record["throughput"]]
    assert cells == [(1, 1), (1, 4), (2, 1), (2, 4)]
    own = [one["images_per_second"] for one in record["throughput"] if one["threads"] == 1]
    assert record["images_per_second"] == max(own)


def test_the_rate_is_that_of_the_figures_beside_it(record):
    assert record["multiply_adds"] == 32_340_992
    rate = record["multiply_adds"] / record["latency_ms"]["p50"] * 1000
    assert record["multiply_adds_per_second"] == pytest.approx(rate, rel=0.01)


def test_a_file_of_another_tool_has_no_rate(int8_file, tmp_path):
    path = tmp_path / "foreign.tflite"
    path.write_bytes(artifacts.payload(artifacts.read(int8_file)))
    found = bench(path, BenchOptions(seconds=0.05, threads=(1,), batches=(1,)))
    assert found.rate is None
    assert found.to_json()["multiply_adds_per_second"] is None
    assert any("no preprocessing in the file" in note for note in found.notes)


def test_a_throttle_flag_that_rises_taints_the_run(int8_file, monkeypatch):
    states = iter([PowerState(throttled=0), PowerState(throttled=0x4)])
    monkeypatch.setattr(module, "power_state", lambda: next(states))
    options = BenchOptions(seconds=0.05, threads=(1,), batches=(1,))
    found = bench(int8_file, options)
    assert found.to_json()["power"]["tainted"] is True
    assert found.notes[0].startswith("tainted: ")


def test_more_images_at_a_time_are_counted_as_such(onnx_file):
    assert images_per_second([500_000_000, 1_500_000_000], 8) == 8.0
    image = np.zeros((1, 28, 28, 1), np.uint8)
    with runtime.load(onnx_file, backend="onnxruntime") as opened:
        one, eight = measure_throughput(opened, BackendOptions(), image, (1, 8), (1,), 0.2)
    assert (one.batch, eight.batch) == (1, 8)
    assert 0.3 < eight.images_per_second / one.images_per_second < 30


def test_the_drawn_picture_becomes_a_digit(classifier):
    shown = picture(classifier, None)
    batch = shown.prepare()
    assert batch.shape == (1, 28, 28, 1)
    assert str(SIZE[0]) in shown.name
    label = classifier.labels[int(classifier.predict_batch(batch).argmax())]
    assert label == "7"


def test_the_picture_of_a_user_is_taken_as_predict_takes_it(classifier, tmp_path):
    path = tmp_path / "mine.png"
    image = Image.new("L", (50, 40), 250)
    image.paste(20, (22, 5, 27, 35))
    image.save(path)
    expected = classifier.prepare(path).pixels[None]
    assert (picture(classifier, path).prepare() == expected).all()
    assert expected.max() > 127
    np.save(tmp_path / "array.npy", np.full((28, 28), 9, np.uint8))
    array = picture(classifier, tmp_path / "array.npy").prepare()
    assert array.shape == (1, 28, 28, 1)
    assert (array == 9).all()


def test_a_picture_that_is_none_is_refused(classifier, tmp_path):
    with pytest.raises(InputError, match=r"gone\.png: no such file"):
        picture(classifier, tmp_path / "gone.png")
    np.save(tmp_path / "many.npy", np.zeros((3, 28, 28), np.uint8))
    with pytest.raises(InputError, match="takes one image"):
        picture(classifier, tmp_path / "many.npy")


def test_a_process_that_cannot_run_the_file_is_told(int8_file):
    with pytest.raises(BackendError, match=r"process of its own: .* runs \.onnx files"):
        measure_fresh(int8_file, "onnxruntime", BackendOptions(), 1)


def test_auto_is_settled_on_what_runs(classifier):
    assert settled(classifier, BackendOptions("auto", 2)) == BackendOptions("cpu", 2)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"seconds": 0.0}, "--seconds must be above 0"),
        ({"seconds": float("nan")}, "--seconds must be above 0"),
        ({"batches": ()}, "--batch takes numbers"),
        ({"batches": (0,)}, "--batch takes numbers"),
        ({"threads": (1, 0)}, "threads must be at least 1"),
    ],
)
def test_options_are_checked(fields, words):
    with pytest.raises(InputError, match=words):
        BenchOptions(**fields)
