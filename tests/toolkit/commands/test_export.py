"""``toolkit export`` as a user types it."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import runtime
from runtime.modelfile import artifact as artifacts

ROOT = Path(__file__).parents[3]


def test_the_default_is_int8_of_the_latest_run(toolkit_cli, digits_run, tmp_path, monkeypatch):
    monkeypatch.chdir(digits_run.path.parent.parent)
    result = toolkit_cli("export", "--out", tmp_path / "new" / "folder", "--json")
    assert result.exit_code == 0
    (entry,) = json.loads(result.stdout)["artifacts"]
    path = Path(entry["path"])
    assert path == tmp_path / "new" / "folder" / "digits-cnn.int8.tflite"
    assert entry["format"] == "tflite-int8"
    assert entry["bytes"] == path.stat().st_size
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert f"Next: runtime predict {path}" in result.stderr
    assert "same label as Keras on" in result.stderr


def test_all_formats_of_a_model_of_the_users_own(toolkit_cli, own, tmp_path):
    """RGB, logits, Rescaling, BatchNorm, ReLU6 and a depthwise convolution."""
    result = toolkit_cli("export", *own, "--all", "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.stderr
    entries = json.loads(result.stdout)["artifacts"]
    assert len(entries) == 8
    assert {Path(entry["path"]) for entry in entries} == set(tmp_path.iterdir())
    for entry in entries:
        accuracy = artifacts.read(entry["path"]).manifest.accuracy
        assert accuracy.reference > 0.9
        assert accuracy.agreement > 0.95
    assert "Warning" not in result.stderr


def test_several_formats_print_one_path_a_line(toolkit_cli, own, tmp_path):
    formats = ("--format", "onnx", "--format", "tflite")
    result = toolkit_cli("export", *own, *formats, "--out", tmp_path, "--quiet")
    assert result.exit_code == 0
    names = [Path(line).name for line in result.stdout.splitlines()]
    assert names == ["colors.float32.onnx", "colors.float32.tflite"]
    assert result.stderr == ""


def test_the_file_holds_labels_and_preprocessing(toolkit_cli, own, rgb_model, tmp_path):
    changes = ("--name", "paint", "--labels", "r,g,b", "--format", "tflite")
    assert toolkit_cli("export", *own, *changes, "--out", tmp_path).exit_code == 0
    with np.load(rgb_model / "colors.npz") as data:
        image = data["x_test"][1]
    with runtime.load(tmp_path / "paint.float32.tflite") as classifier:
        assert classifier.predict(image).label == "g"
        assert classifier.spec.scale == 1.0


def test_a_model_without_out_is_exported_to_the_current_folder(
    toolkit_cli, own, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert toolkit_cli("export", *own, "--format", "tflite").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["colors.float32.tflite"]


def test_the_wrong_scale_is_warned_about(toolkit_cli, own, tmp_path):
    result = toolkit_cli("export", *own[:3], "--format", "tflite", "--out", tmp_path)
    assert result.exit_code == 0
    assert "Warning: the Keras model itself is right on only" in result.stderr
    assert "--scale" in result.stderr


def test_the_calibration_draw_is_recorded(toolkit_cli, own, tmp_path):
    options = ("--format", "tflite-int8", "--calibration-samples", 30, "--seed", 4)
    assert toolkit_cli("export", *own, *options, "--out", tmp_path).exit_code == 0
    record = artifacts.read(tmp_path / "colors.int8.tflite").manifest.quantization.calibration
    assert (record.samples, record.seed, record.dataset) == (30, 4, "colors training images")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--format", "tflite-int9"), "Did you mean 'tflite-int8'?"),
        (("--format", "tflite", "--all"), "use --format or --all, not both"),
        (("--calibration-samples", 0), "calibration needs at least 1 image, not 0"),
        (("--seed", -1), "seed"),
        (("--labels", "a,b"), "3 classes, but there are 2 labels"),
        (("--labels", "nowhere.txt"), "--labels takes a,b,c or a text file"),
        (("--name", "../evil"), "cannot be a file name"),
        (("--mean", "1,2"), "mean needs 1 or 3 values, not 2"),
        (("--scale", 0), "scale and std must be finite and not zero"),
        (("--dataset", "digits", "--data", "."), "requested 32x32x3"),
    ],
)
def test_bad_input_ends_in_one_line_with_exit_code_2(toolkit_cli, own, tmp_path, arguments, words):
    result = toolkit_cli("export", *own, *arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_a_model_without_data_says_what_to_add(toolkit_cli, rgb_model):
    result = toolkit_cli("export", rgb_model / "colors.keras")
    assert result.exit_code == 2
    assert "--data PATH, or --dataset mnist" in result.stderr


@pytest.mark.parametrize("name", ["model.h5", "model.tflite", "notes.txt"])
def test_other_files_are_refused(toolkit_cli, tmp_path, name):
    (tmp_path / name).write_bytes(b"content")
    result = toolkit_cli("export", tmp_path / name, "--dataset", "digits")
    assert result.exit_code == 2
    assert ".keras" in result.stderr


def test_a_lambda_layer_is_refused(toolkit_cli, rgb_model, tmp_path):
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Lambda(lambda x: x), layers.Flatten(), layers.Dense(3)]
    )
    model.save(tmp_path / "code.keras")
    data = rgb_model / "colors.npz"
    result = toolkit_cli("export", tmp_path / "code.keras", "--data", data)
    assert result.exit_code == 2
    assert "Lambda layer" in result.stderr
    assert "Rescaling" in result.stderr


def test_two_inputs_are_refused(toolkit_cli, rgb_model, tmp_path):
    import keras

    layers = keras.layers
    images = [keras.Input((32, 32, 3)), keras.Input((32, 32, 3))]
    scores = layers.Dense(3)(layers.Flatten()(layers.Add()(images)))
    keras.Model(images, scores).save(tmp_path / "two.keras")
    result = toolkit_cli("export", tmp_path / "two.keras", "--data", rgb_model / "colors.npz")
    assert result.exit_code == 2
    assert "one input and one output" in result.stderr


def test_a_folder_that_cannot_be_written_is_named(toolkit_cli, own, tmp_path):
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "out"
    result = toolkit_cli("export", *own, "--format", "tflite", "--out", out)
    assert result.exit_code == 2
    assert str(tmp_path / "file") in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_one_failed_format_of_several_gives_exit_code_1(toolkit_cli, own, tmp_path, monkeypatch):
    from exporters.formats.tflite import Float32
    from runtime.errors import ParityError

    def broken(self, request):
        raise ParityError("answers otherwise")

    monkeypatch.setattr(Float32, "_convert", broken)
    several = ("--format", "tflite", "--format", "onnx", "--out", tmp_path)
    result = toolkit_cli("export", *own, *several, "--json")
    assert result.exit_code == 1
    assert [e["format"] for e in json.loads(result.stdout)["artifacts"]] == ["onnx"]
    assert "format tflite: answers otherwise" in result.stderr
    result = toolkit_cli("export", *own, "--format", "tflite", "--out", tmp_path)
    assert result.exit_code == 1
    assert "answers otherwise" in result.stderr


def test_stdout_holds_json_only_and_stderr_no_converter_noise(own, tmp_path):
    formats = ("--format", "tflite-int8", "--format", "onnx-int8")
    arguments = [str(a) for a in (*own, *formats, "--out", tmp_path, "--json")]
    found = subprocess.run(
        [sys.executable, "-m", "toolkit", "export", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert len(json.loads(found.stdout)["artifacts"]) == 2
    lines = [line for line in found.stderr.splitlines() if line]
    assert len(lines) == 4, found.stderr
    assert lines[0].startswith("tflite-int8")
    assert lines[2].startswith("Classes")
    assert lines[3].startswith("Next: ")


def test_a_search_says_what_it_did(toolkit_cli, own, tmp_path):
    formats = ("--format", "tflite-int8", "--format", "onnx-int8")
    result = toolkit_cli("export", *own, *formats, "--out", tmp_path, "--max-drop", 50, "--json")
    assert result.exit_code == 0, result.stderr
    for entry in json.loads(result.stdout)["artifacts"]:
        record = entry["mending"]
        assert record["max_drop"] == 50
        assert record["chosen"] == record["attempts"][-1]["what"]
        assert {"accuracy_drop", "agreement", "passes", "bytes", "latency_ms"} <= set(
            record["attempts"][0]
        )
        assert record["attempts"][0]["latency_ms"] > 0
    assert "set aside to measure on" in " ".join(result.stderr.split())
    assert "tflite-int8: at most 50 points of accuracy on 15 colors" in result.stderr


def test_a_search_without_a_way_out_writes_nothing(toolkit_cli, own, tmp_path, monkeypatch):
    from toolkit.quantization_search.judge import Judge

    judge = Judge.__call__
    monkeypatch.setattr(Judge, "__call__", lambda *a: (judge(*a)[0], ("7.00 points lost",)))
    out = tmp_path / "out"
    arguments = ("--format", "tflite-float16", "--max-drop", 0.1, "--out", out)
    result = toolkit_cli("export", *own, *arguments)
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert len(errors) == 1
    assert "7.00 points lost" in errors[0]
    assert not out.exists()


def test_a_refused_file_is_written_by_force_and_fails_all_the_same(
    toolkit_cli, own, tmp_path, monkeypatch
):
    from dataclasses import replace

    from exporters.formats.tflite import Float32

    strict = replace(Float32.budget, max_abs_error=0.0)
    monkeypatch.setattr(Float32, "budget", strict)
    arguments = ("--format", "tflite", "--out", tmp_path)
    refused = toolkit_cli("export", *own, *arguments)
    assert refused.exit_code == 1
    assert "export it with --force, then toolkit diagnose" in refused.stderr
    assert not list(tmp_path.iterdir())
    forced = toolkit_cli("export", *own, *arguments, "--force", "--json")
    assert forced.exit_code == 1
    assert "FAILED the check and was written by force" in forced.stderr
    (entry,) = json.loads(forced.stdout)["artifacts"]
    assert "differs from Keras" in entry["refusal"]
    path = Path(entry["path"])
    assert f"Next: toolkit diagnose {path}" in forced.stderr
    assert artifacts.read(path).manifest.quantization.refusal == entry["refusal"]


def test_options_of_the_quantization_are_recorded(toolkit_cli, own, tmp_path):
    options = ("--format", "tflite-int8", "--per-tensor", "--calibration-method", "percentile")
    result = toolkit_cli("export", *own, *options, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    record = artifacts.read(tmp_path / "colors.int8.tflite").manifest.quantization
    assert record.calibration.method == "percentile"
    assert record.scheme == "int8 weights (per tensor) and activations, int8 in and out"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-drop", -1), "--max-drop is in points of accuracy"),
        (("--max-drop", 1, "--force"), "choose one"),
        (("--calibration-method", "mean"), "unknown calibration method 'mean'"),
        (("--format", "onnx-int8", "--calibration-method", "mse"), "takes min-max, percentile"),
        (("--format", "tflite", "--per-tensor"), "cannot quantize per tensor"),
    ],
)
def test_options_that_cannot_be_honoured_are_refused(toolkit_cli, own, tmp_path, arguments, words):
    result = toolkit_cli("export", *own, *arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert words in result.stderr
    assert not (tmp_path / "out").exists()
