"""Model files side by side, timed in turns with the real engines."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

from runtime.backends import BackendOptions
from runtime.benchmark import measure_turns
from runtime.errors import BackendError, InputError, UnknownNameError
from runtime.modelfile import artifact as artifacts
from toolkit.benchmarking import bench
from toolkit.benchmarking.bench import CompareOptions, compare_speed, find_files, ratio_interval
from toolkit.engines import ALL

pytest.importorskip("ai_edge_litert")
pytest.importorskip("onnxruntime")
MODELS = Path(__file__).parents[3] / "examples" / "models"
FLOAT, INT8 = MODELS / "mnist-cnn.float32.tflite", MODELS / "mnist-cnn.int8.tflite"
ONNX = MODELS / "mnist-cnn.int8.onnx"


@pytest.fixture(scope="module")
def found():
    return compare_speed(CompareOptions((INT8, FLOAT, ONNX), seconds=0.5, peak=False))


def test_each_file_is_compared_with_the_first_float32_one(found):
    assert [entry.is_baseline for entry in found.entries] == [False, True, False]
    int8, base, onnx = found.entries
    assert (base.ratio, base.interval) == (1.0, None)
    for entry in (int8, onnx):
        low, high = entry.interval
        assert low <= entry.ratio <= high
        assert entry.turns >= 6


def test_the_ratio_is_the_time_of_a_file_by_that_of_the_baseline(monkeypatch):
    """Times that are made up: which file is the faster one depends on the processor."""
    milliseconds = (1, 2, 3)
    turns = [[[ms * 1_000_000] * 8] * 6 for ms in milliseconds]
    monkeypatch.setattr(bench, "measure_turns", lambda *_: turns)
    result = compare_speed(CompareOptions((INT8, FLOAT, ONNX), seconds=0.05, peak=False))
    assert [entry.ratio for entry in result.entries] == [0.5, 1.0, 1.5]
    assert [entry.interval for entry in result.entries] == [(0.5, 0.5), None, (1.5, 1.5)]


def test_each_entry_is_what_runtime_bench_tells_and_the_ratio(found):
    rows = json.loads(json.dumps(found.to_json()))
    for row, path in zip(rows, (INT8, FLOAT, ONNX), strict=True):
        assert row["path"] == str(path)
        assert row["sha256"] == artifacts.read(path).sha256
        assert row["latency_ms"]["p50"] > 0
        assert 20 < row["peak_rss_mb"] < 250
        assert row["load_ms"] > 0
        assert row["multiply_adds"] == 32_340_992
        assert row["ratio"] > 0
        assert "quantile_test" in row["ratio_method"]
    assert {"cpu", "cores"} <= rows[0]["host"].keys()


def test_a_file_beside_itself_has_the_ratio_one(tmp_path):
    copy = tmp_path / "copy.int8.tflite"
    copy.write_bytes(INT8.read_bytes())
    options = CompareOptions((INT8, copy), baseline=INT8, seconds=0.5, peak=False)
    _, other = compare_speed(options).entries
    assert other.ratio == pytest.approx(1.0, abs=0.15)


def test_a_baseline_that_is_not_among_the_files_joins_them():
    files = find_files(CompareOptions((INT8,), baseline=FLOAT))
    assert [file.path for file in files] == [FLOAT, INT8]


def test_without_a_float32_file_the_first_one_is_the_baseline():
    options = CompareOptions((INT8, ONNX), seconds=0.05, peak=False)
    assert [entry.is_baseline for entry in compare_speed(options).entries] == [True, False]


def test_all_engines_run_all_files_and_a_refusal_is_told():
    paths = (MODELS / "mnist-cnn.dynamic.tflite", INT8)
    options = CompareOptions(paths, backend=ALL, seconds=0.05, peak=False)
    result = compare_speed(options)
    pairs = [(e.result.setting.format, e.result.setting.backend) for e in result.entries]
    assert ("tflite-dynamic", "litert") in pairs
    if ("tflite-int8", "tflite-runtime") in pairs:
        assert ("tflite-dynamic", "tflite-runtime") not in pairs
        assert "too old" in result.refused[0]


def test_an_engine_that_takes_none_of_the_files_is_an_error():
    with pytest.raises(BackendError, match=r"runs \.onnx files"):
        compare_speed(CompareOptions((INT8,), backend="onnxruntime"))


def test_a_baseline_that_no_engine_runs_is_an_error():
    options = CompareOptions((ONNX,), backend="onnxruntime", baseline=FLOAT)
    with pytest.raises(InputError, match="runs the baseline"):
        compare_speed(options)


def test_the_share_is_that_of_the_machine(monkeypatch):
    from toolkit.benchmarking.peak import Peak, Peaks

    monkeypatch.setattr(bench, "measure_peaks", lambda: Peaks((Peak("int8", 1e12, "e"),), 1.0))
    options = CompareOptions((INT8, FLOAT), engine=BackendOptions(threads=2), seconds=0.05)
    int8, base = compare_speed(options).entries
    cores = min(2, int8.result.setting.host.cores)
    rate = 32_340_992 / int8.result.timing.latency.median_ms * 1000
    assert int8.share == pytest.approx(rate / (1e12 * cores))
    assert base.share is None


def test_the_interval_is_that_of_the_order_statistics():
    """Of 20 values the 6th and the 15th hold the median in 95.9 % of all draws."""
    ratios = np.random.default_rng(0).permutation(np.arange(1.0, 21.0))
    assert ratio_interval(ratios) == (6.0, 15.0)
    assert ratio_interval(ratios[:5]) is None


def test_the_interval_holds_the_true_ratio():
    runs = [lambda: time.sleep(0.004), lambda: time.sleep(0.002)]
    slow, fast = measure_turns(runs, 1.0)
    medians = [np.median(a) / np.median(b) for a, b in zip(slow, fast, strict=True)]
    low, high = ratio_interval(np.array(medians))
    # 2, but for what sleeping costs beyond its time: an interval beside that is wrong
    assert low < 2.6
    assert high > 1.4


def test_a_scenario_is_played_by_every_file():
    options = CompareOptions((ONNX, FLOAT), seconds=0.2, peak=False, scenario="offline", batch=4)
    for entry in compare_speed(options).entries:
        record = entry.to_json()
        assert record["scenario"]["samples_per_query"] == 4
        assert record["scenario"]["value"] == pytest.approx(record["images_per_second"], abs=0.1)
        rate = record["multiply_adds"] * 4 / record["latency_ms"]["p50"] * 1000
        assert record["multiply_adds_per_second"] == pytest.approx(rate, rel=0.01)
        cut_up = record["format"].startswith("tflite")
        assert any("is split" in note for note in record["notes"]) == cut_up
        assert not any("raise --seconds" in note for note in record["notes"])


def test_an_unknown_scenario_is_told_with_those_that_there_are():
    with pytest.raises(UnknownNameError, match="Did you mean 'offline'"):
        CompareOptions(scenario="ofline")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"batch": 4}, "--batch is for --scenario offline"),
        ({"scenario": "single-stream", "batch": 4}, "--batch is for --scenario offline"),
        ({"scenario": "offline", "batch": 0}, "--batch must be at least 1"),
    ],
)
def test_a_batch_is_for_offline(fields, words):
    with pytest.raises(InputError, match=words):
        CompareOptions(**fields)
