"""``runtime bench`` as a user types it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[3] / "examples" / "models"
MODEL = MODELS / "mnist-cnn.int8.tflite"


@pytest.fixture
def bench(runtime_cli):
    """Run the command on the shipped int8 file, shortly."""
    pytest.importorskip("ai_edge_litert")
    return lambda *arguments: runtime_cli("bench", MODEL, "--seconds", 0.1, *arguments)


def test_json_is_one_object_with_the_promised_keys(bench):
    result = bench("--json", "--threads", "1,2", "--batch", "1,2")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["latency_ms"].keys() == {"min", "p50", "p90", "p99", "mean", "samples"}
    keys = "backend device threads images_per_second load_ms first_ms peak_rss_mb host"
    assert record.keys() >= set(keys.split())
    assert record["threads"] == 1
    assert len(record["throughput"]) == 4
    assert record["multiply_adds_per_second"] > 0
    assert result.stderr == ""


def test_the_table_fits_the_terminal_and_names_everything(bench):
    result = bench("--batch", "1,4")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines[1:])) <= 80  # the first line is the path
    labels = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    for label in ("file", "engine", "machine", "ms", "inference", "preprocess", "fresh", "work"):
        assert labels.count(label) == 1
    assert "32.3 M multiply-adds per image" in result.stdout
    assert "Timed: backend.run_images" in result.stdout


def test_a_percentile_without_samples_is_a_dash(runtime_cli):
    pytest.importorskip("ai_edge_litert")
    slow = MODELS / "mnist-cnn.int16x8.tflite"
    options = ("--seconds", 0.05, "--batch", "1", "--threads", "1")
    result = runtime_cli("bench", slow, *options)
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("inference")]
    assert row.split()[3:5] == ["-", "-"]
    assert "p90 needs 64 samples" in result.stdout
    record = json.loads(runtime_cli("bench", slow, *options, "--json").stdout)
    assert record["latency_ms"]["p90"] is record["latency_ms"]["p99"] is None


def test_the_image_of_a_user_is_preprocessed(bench):
    image = MODELS.parent / "images" / "seven.png"
    if not image.is_file():
        image = next((MODELS.parent / "images").glob("*.png"))
    record = json.loads(bench("--image", image, "--json").stdout)
    assert record["image"] == image.name
    assert record["preprocess_ms"]["p50"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seconds", "0"), "--seconds must be above 0"),
        (("--seconds", "inf"), "--seconds must be above 0"),
        (("--batch", "1,x"), "--batch takes numbers from 1 up, like 1,8,32, not '1,x'"),
        (("--batch", "0"), "--batch takes numbers"),
        (("--threads", "-1"), "--threads takes numbers"),
        (("--backend", "litrt"), "Did you mean 'litert'"),
        (("--device", "tpu"), "unknown device 'tpu'"),
        (("--image", "gone.png"), "no such file or folder: gone.png"),
    ],
)
def test_bad_input_ends_in_one_line(bench, arguments, words):
    result = bench(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_wrong_file_ends_in_one_line(runtime_cli, tmp_path):
    for path in (tmp_path / "gone.onnx", Path(__file__)):
        result = runtime_cli("bench", path)
        assert (result.exit_code, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1


def test_an_engine_for_other_files_ends_with_3(bench):
    result = bench("--backend", "onnxruntime")
    assert result.exit_code == 3
    assert "runs .onnx files" in result.stderr


def test_ctrl_c_ends_with_130():
    pytest.importorskip("ai_edge_litert")
    command = [sys.executable, "-m", "runtime", "bench", str(MODEL), "--seconds", "60"]
    terminal, far = pty.openpty()
    with subprocess.Popen(command, stderr=far, cwd=MODELS.parents[1]) as program:
        os.close(far)
        shown = b""
        while b"measuring" not in shown:  # the progress bar
            shown += os.read(terminal, 4096)
        program.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # the other end is closed
            while True:
                shown += os.read(terminal, 4096)
    os.close(terminal)
    assert program.returncode == 130
    assert b"Traceback" not in shown


@pytest.mark.parametrize(("present", "words"), [(True, "32,340,992"), (False, "unknown")])
def test_info_tells_the_multiply_adds(runtime_cli, tmp_path, present, words):
    from dataclasses import replace

    from runtime.modelfile import artifact as artifacts

    pytest.importorskip("ai_edge_litert")
    file = artifacts.read(MODEL)
    count = file.manifest.multiply_adds if present else None
    path = tmp_path / MODEL.name
    path.write_bytes(artifacts.restate(file, replace(file.manifest, multiply_adds=count)).data)
    lines = runtime_cli("info", path).stdout.splitlines()
    (line,) = [one for one in lines if one.startswith("work ")]
    assert words in line
    assert json.loads(runtime_cli("info", path, "--json").stdout)["multiply_adds"] == count
