"""``toolkit diagnose`` as a user types it."""

import json
from pathlib import Path

import numpy as np
import pytest

from runtime.modelfile import artifact as artifacts

KERAS = str(Path(__file__).parents[3] / "examples" / "models" / "mnist-cnn.keras")


@pytest.fixture
def broken(exports, tmp_path):
    """The int8 ONNX file with noise in one convolution, sealed again."""
    import onnx

    file = artifacts.read(exports["onnx-int8"])
    model = onnx.load_model_from_string(file.data)
    del model.metadata_props[:]
    name = next(
        i.name
        for i in model.graph.initializer
        if "conv2d_2_1/conv" in i.name and "quantized" in i.name
    )
    (weights,) = [i for i in model.graph.initializer if i.name == name]
    noise = np.random.default_rng(0).integers(-127, 128, tuple(weights.dims)).astype(np.int8)
    weights.CopyFrom(onnx.numpy_helper.from_array(noise, name))
    path = tmp_path / "broken.int8.onnx"
    path.write_bytes(artifacts.pack(path, model.SerializeToString(), file.manifest).data)
    return path


def test_the_broken_layer_is_named_first_in_json(toolkit_cli, digits_run, broken):
    options = ("--against", digits_run.path, "--images", 16, "--json")
    result = toolkit_cli("diagnose", broken, *options)
    assert result.exit_code == 0
    record = json.loads(result.stdout, parse_constant=pytest.fail)
    assert record["worst"] == record["layers"][0]["name"] == "conv2d_2"
    assert record["format"] == "onnx-int8"
    assert record["path"] == str(broken)
    assert record["backend"] == "onnxruntime"
    assert record["images"] == 16
    first = record["layers"][0]
    assert first["own_sqnr_db"] < 10
    assert first["wrong"]
    assert not first["float"]
    assert first.keys() >= {"key", "kind", "sqnr_db", "cosine", "range_use", "saturated", "remark"}
    assert "conv2d_2 is damaged" in record["advice"]


def test_the_table_is_narrow_and_ends_with_what_to_do(toolkit_cli, digits_run, broken, tmp_path):
    plot = tmp_path / "layers.png"
    options = ("--against", digits_run.path, "--images", 8, "--plot", plot)
    result = toolkit_cli("diagnose", broken, *options)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    rows = [line for line in lines if " conv" in line and ("exact" in line or "%" in line)]
    assert "conv2d_2" in rows[0]
    assert max(map(len, lines)) <= 80
    assert "Layer conv2d_2 is damaged" in " ".join(lines[-3:])
    assert f"toolkit export {digits_run.path} --format onnx-int8" in result.stderr
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_the_latest_run_is_the_default(toolkit_cli, digits_run, exports, monkeypatch):
    monkeypatch.chdir(digits_run.path.parent.parent)
    result = toolkit_cli("diagnose", exports["tflite-int8"], "--images", 8)
    assert result.exit_code == 0
    assert "The worst layer is" in result.stdout
    assert "litert, 8 training images" in result.stdout


def test_a_float_file_has_nothing_to_diagnose(toolkit_cli, digits_run, exports):
    options = ("--against", digits_run.path, "--images", 8)
    result = toolkit_cli("diagnose", exports["tflite"], *options)
    assert result.exit_code == 0
    assert "Nothing to diagnose" in " ".join(result.stdout.splitlines()[-2:])
    assert "Next:" not in result.stderr


def test_a_bare_keras_file_is_enough(toolkit_cli, digits_run, exports):
    options = ("--against", digits_run.model, "--dataset", "digits", "--images", 8)
    result = toolkit_cli("diagnose", exports["onnx-int8"], *options, "--json")
    assert result.exit_code == 0
    assert not any(layer["wrong"] for layer in json.loads(result.stdout)["layers"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gone.tflite",), "no such file or folder: gone.tflite"),
        ((KERAS,), "toolkit export"),
        (("--images", 0), "--images must be at least 1"),
        (("--seed", -1), "--seed must not be negative"),
    ],
)
def test_bad_input_ends_in_one_line(toolkit_cli, digits_run, exports, arguments, words):
    file = () if arguments[0].endswith((".tflite", ".keras")) else (exports["tflite"],)
    result = toolkit_cli("diagnose", *file, *arguments, "--against", digits_run.path)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_file_of_another_network_ends_in_one_line(toolkit_cli, rgb_model, exports):
    model = ("--against", rgb_model / "colors.keras", "--data", rgb_model / "colors.npz")
    result = toolkit_cli("diagnose", exports["tflite-int8"], *model)
    assert result.exit_code == 2
    assert "not those of the Keras model" in result.stderr


def test_the_table_cuts_long_names_and_no_numbers():
    from pathlib import Path

    from toolkit.commands.diagnose import table
    from toolkit.diagnosis import Diagnosis, LayerDiagnosis
    from toolkit.diagnosis.file import FileDiagnosis

    numbers = (0, 12.5, 11.25, -0.5, 1.0, 1.0, 8)
    layer = LayerDiagnosis(
        "a_very_long_name_of_a_layer",
        "key",
        "DEPTHWISE_CONV_2D",
        *numbers,
        is_float=False,
        wrong=False,
        remark="",
    )
    text = table(FileDiagnosis(Path("x.onnx"), "onnx-int8", "onnxruntime", Diagnosis((layer,), 1)))
    (row,) = [line for line in text.splitlines() if "%" in line]
    assert len(row) <= 80
    assert row.split()[2:] == ["12.5", "11.2", "-0.5000", "100%", "100.00%"]
