"""``runtime info``: the contents of a model file."""

from __future__ import annotations

import hashlib
import json

import pytest


@pytest.mark.parametrize("name", ["tflite", "tflite-int8", "tflite-int16x8", "onnx", "onnx-int8"])
def test_json_is_the_manifest_and_what_was_found(runtime_cli, exports, name):
    path = exports[name]
    result = runtime_cli("info", path, "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    data = path.read_bytes()
    assert record["format"] == name
    assert record["integrity"] == "sha256 verified"
    assert record["bytes"] == len(data)
    assert record["sha256"] == hashlib.sha256(data).hexdigest()
    assert record["backend"]["device"] == "cpu"
    assert record["backend"]["version"]
    assert record["labels"] == list("0123456789")
    assert record["preprocess"]["fit"] == "center-of-mass"
    assert record["input"]["shape"][1:] == [28, 28, 1]
    assert record["output"]["shape"][1] == 10
    assert record["accuracy"]["images"] > 50
    assert record["notes"] == []


def test_quantized_tensors_show_scale_and_zero_point(runtime_cli, exports):
    record = json.loads(runtime_cli("info", exports["tflite-int8"], "--json").stdout)
    if record["output"]["dtype"] == "int8":
        assert record["output"]["scale"] == pytest.approx(1 / 256)
        assert record["output"]["zero_point"] == -128
    plain = json.loads(runtime_cli("info", exports["tflite"], "--json").stdout)
    assert (plain["input"]["dtype"], plain["input"]["scale"]) == ("float32", None)


def test_text_names_everything_once(runtime_cli, exports):
    result = runtime_cli("info", exports["tflite-int8"])
    assert result.exit_code == 0
    keys = [line.split()[0] for line in result.stdout.splitlines()]
    for key in [
        "file",
        "integrity",
        "backend",
        "input",
        "output",
        "labels",
        "preprocess",
        "model",
        "quantization",
        "calibration",
        "op",
        "engines",
        "accuracy",
    ]:
        assert keys.count(key) == 1
    assert "sha256 verified" in result.stdout
    assert "digits training images, seed 0, min-max" in result.stdout


@pytest.mark.parametrize("name", ["tflite-int8", "onnx"])
def test_a_file_without_manifest_shows_its_tensors_and_the_guesses(runtime_cli, stripped, name):
    record = json.loads(runtime_cli("info", stripped[name], "--json").stdout)
    assert record["integrity"] == "no digest (made by another tool)"
    assert len(record["notes"]) == 2
    assert "format" not in record
    assert record["input"]["shape"][1:] == [28, 28, 1]
    text = runtime_cli("info", stripped[name]).stdout
    assert text.count("\nnote ") == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--backend", "onnxruntim"], 2, "Did you mean 'onnxruntime'?"),
        (["--backend", "onnxruntime"], 3, "runs .onnx files"),
        (["--device", "gpu"], 3, "no GPU support"),
        (["--threads", "-1"], 2, "at least 1"),
    ],
)
def test_engine_options_are_checked(runtime_cli, exports, arguments, code, words):
    result = runtime_cli("info", exports["tflite"], *arguments)
    assert result.exit_code == code
    assert words in result.stderr


def test_a_damaged_file_is_refused(runtime_cli, exports, tmp_path):
    path = tmp_path / "a.onnx"
    data = bytearray(exports["onnx"].read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    result = runtime_cli("info", path, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "SHA-256 does not match" in result.stderr
