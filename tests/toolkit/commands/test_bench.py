"""``toolkit bench`` as a user types it."""

import json
import shlex
from pathlib import Path

import pytest

pytest.importorskip("ai_edge_litert")
MODELS = Path(__file__).parents[3] / "examples" / "models"
FLOAT, INT8 = MODELS / "mnist-cnn.float32.tflite", MODELS / "mnist-cnn.int8.tflite"


@pytest.fixture
def bench(toolkit_cli):
    """Run the command shortly."""
    return lambda *arguments: toolkit_cli("bench", *arguments, "--seconds", 0.2)


def test_json_is_a_list_with_ratios(bench):
    result = bench(FLOAT, INT8, "--no-peak", "--json")
    assert result.exit_code == 0, result.stderr
    base, int8 = json.loads(result.stdout)
    assert base["baseline"] is True
    assert base["ratio"] == 1.0
    assert int8["ratio_interval"][0] <= int8["ratio"] <= int8["ratio_interval"][1]
    fastest = min(base, int8, key=lambda row: row["ratio"])["path"]  # not int8 on every processor
    assert f"Next: runtime bench {shlex.quote(fastest)} --backend litert" in result.stderr
    keys = "backend device threads latency_ms images_per_second load_ms first_ms peak_rss_mb host"
    assert int8.keys() >= set(keys.split())


def test_the_table_fits_the_terminal_and_shows_the_share_of_the_peak(bench):
    result = bench(FLOAT, INT8, "--backend", "all")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines if line.strip().startswith("tflite")]
    assert sum("baseline" in row for row in rows) == 1
    assert all(row.rstrip().endswith("%") for row in rows)
    text = " ".join(result.stdout.split())
    assert "Peak of one core in int8" in text
    assert "scipy.stats.quantile_test" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("single-stream",), "single-stream, 1 a query"),
        (("multi-stream",), "multi-stream, 8 a query"),
        (("offline",), "offline, 32 a query"),
        (("offline", "--batch", 4), "offline, 4 a query"),
    ],
)
def test_a_scenario_says_what_it_reports_and_where_it_departs(bench, arguments, words):
    result = bench(FLOAT, INT8, "--no-peak", "--scenario", *arguments)
    assert result.exit_code == 0, result.stderr
    text = " ".join(result.stdout.split())
    assert words in text
    assert "not an MLPerf result" in text
    metric = {"single-stream": "p90", "multi-stream": "p99"}.get(arguments[0], "images per second")
    assert text.count(f"on litert: {metric}") == 2
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_refusal_is_told_beside_the_json(bench):
    pytest.importorskip("tflite_runtime")
    dynamic = MODELS / "mnist-cnn.dynamic.tflite"
    result = bench(dynamic, "--backend", "all", "--no-peak", "--json")
    ran = {one["backend"] for one in json.loads(result.stdout)}
    assert "litert" in ran
    assert "tflite-runtime" not in ran
    assert "Refused: tflite-runtime" in result.stderr


def test_files_of_one_format_are_told_apart_by_name(bench, tmp_path):
    copy = tmp_path / "other.int8.tflite"
    copy.write_bytes(INT8.read_bytes())
    text = bench(INT8, copy, "--no-peak").stdout
    assert "peak" not in text.lower()  # not asked for
    assert "other.int8" in text
    assert "mnist-cnn.int8" in text


def test_a_run_stands_for_its_exports(bench, two_exports, monkeypatch):
    run, names = two_exports
    result = bench(run, "--no-peak", "--json")
    assert result.exit_code == 0, result.stderr
    formats = [one["format"] for one in json.loads(result.stdout)]
    assert formats == names
    monkeypatch.chdir(run.parent.parent)
    latest = json.loads(bench("--no-peak", "--json").stdout)
    assert [one["format"] for one in latest] == names


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("gone.tflite",), 2, "no such file or folder: gone.tflite"),
        ((FLOAT, "--baseline", "gone.tflite"), 2, "no such file or folder: gone.tflite"),
        ((FLOAT, "--backend", "litrt"), 2, "Did you mean 'litert'"),
        ((FLOAT, "--threads", "0"), 2, "at least 1"),
        ((FLOAT, "--scenario", "of-line"), 2, "Did you mean 'offline'"),
        ((FLOAT, "--batch", "4"), 2, "--batch is for --scenario offline"),
        ((FLOAT, "--device", "tpu"), 2, "unknown device 'tpu'"),
        ((FLOAT, "--backend", "onnxruntime"), 3, "runs .onnx files"),
        ((MODELS,), 2, "is not a finished run folder"),
    ],
)
def test_bad_input_ends_in_one_line(bench, arguments, code, words):
    result = bench(*arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_no_time_is_refused(toolkit_cli):
    result = toolkit_cli("bench", FLOAT, "--seconds", 0)
    assert result.exit_code == 2
    assert "above 0" in result.stderr


def test_without_a_run_the_next_step_is_named(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = bench()
    assert result.exit_code == 2
    assert "toolkit train" in result.stderr
