"""``toolkit explain`` on a real run and its int8 file."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from toolkit.explain import DRAWN, describe, feature_maps
from toolkit.explain.words import UNKNOWN
from toolkit.inspection import view


@pytest.fixture(scope="module")
def rows(trained):
    return describe(trained.source)


def test_parameters_and_multiply_adds_sum_up_to_those_of_the_model(rows, trained):
    assert sum(row.parameters for row in rows) == trained.source.model.count_params()
    assert sum(row.multiply_adds for row in rows) == trained.source.multiply_adds


def test_the_first_layers_of_the_tutorial_network(rows):
    first, second = [row for row in rows if row.kind == "Conv2D"][:2]
    assert first.output_shape == (28, 28, 32)
    assert first.parameters == 5 * 5 * 32 + 32
    assert first.multiply_adds == 28 * 28 * 32 * 25
    assert (first.bytes_float32, first.bytes_int8) == (4 * 832, 800 + 4 * 32)
    assert (first.receptive_field, second.receptive_field) == ((5, 5), (9, 9))
    assert rows[-1].receptive_field == (28, 28)


def test_every_layer_has_an_explanation(rows):
    assert all(row.explanation != UNKNOWN for row in rows)
    assert "Padding same" in next(row for row in rows if row.kind == "Conv2D").explanation
    assert "probabilities" in rows[-1].explanation


def test_a_model_of_the_users_own(rgb_model):
    from exporters.keras_model.source import load_keras

    source = load_keras(rgb_model / "colors.keras")
    found = describe(source)
    assert sum(row.multiply_adds for row in found) == source.multiply_adds
    assert {row.bytes_int8 for row in found if row.kind == "BatchNormalization"} == {0}


def test_the_maps_of_the_int8_file_are_near_those_of_keras(trained, exports):
    batch = trained.spec.apply(trained.dataset.x_test[:1])
    graph = view(exports["tflite-int8"].read_bytes(), ".tflite")
    found = feature_maps(trained.source, batch, graph)
    paired = [row for row in found if row.file is not None]
    assert len(paired) >= 4
    for row in paired:
        spread = row.keras.max() - row.keras.min()
        assert 0 < row.max_difference < 0.2 * spread


def test_maps_of_keras_alone(trained):
    batch = trained.spec.apply(trained.dataset.x_test[:1])
    found = feature_maps(trained.source, batch)
    assert found
    assert all(row.file is None for row in found)
    first = trained.source.model.layers[0]
    np.testing.assert_allclose(found[0].keras, np.asarray(first(batch))[0], atol=1e-6)


@pytest.mark.filterwarnings("error:The structure of")
def test_the_command_writes_a_sheet(toolkit_cli, digits_run, exports, digit_files, tmp_path):
    for model in (digits_run.path, exports["tflite-int8"]):
        result = toolkit_cli("explain", model, digit_files[0], "--out", tmp_path, "--json")
        assert result.exit_code == 0, result.output
        record = json.loads(result.stdout)
        assert record["file"].endswith(".int8.tflite")
        assert any(row["max_difference"] for row in record["feature_maps"])
        with Image.open(record["feature_maps_png"]) as sheet:
            assert sheet.format == "PNG"
            assert sheet.height > 400


def test_all_layers_of_a_deep_network_are_compared_and_the_first_are_drawn(toolkit_cli, tmp_path):
    import keras

    inputs = layers = keras.Input((28, 28, 1))
    for _ in range(DRAWN + 1):
        layers = keras.layers.Conv2D(2, 3, padding="same")(layers)
    outputs = keras.layers.Dense(10, "softmax")(keras.layers.Flatten()(layers))
    keras.Model(inputs, outputs).save(tmp_path / "deep.keras")
    options = ("--dataset", "digits", "--scale", 1, "--out", tmp_path)
    result = toolkit_cli("explain", tmp_path / "deep.keras", *options, "--json")
    assert result.exit_code == 0, result.stderr
    assert len(json.loads(result.stdout)["feature_maps"]) == DRAWN + 1
    assert f"the first {DRAWN} of {DRAWN + 1} layers" in result.stderr


def test_text_fits_80_columns(toolkit_cli, digits_run, exports, tmp_path):
    result = toolkit_cli("explain", digits_run.path, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert "Slides small filters over the image" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "words"),
    [(("--index", 10**6), "--index is 0"), (("--against", "."), "--against goes with")],
)
def test_bad_options_end_in_one_line(toolkit_cli, digits_run, options, words):
    result = toolkit_cli("explain", digits_run.path, *options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_bare_file_is_not_compared_with_what_happens_to_lie_there(
    toolkit_cli, rgb_model, exports, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(exports["tflite-int8"], tmp_path / "colors.int8.tflite")
    data = ("--data", rgb_model / "colors.npz", "--scale", 1)
    result = toolkit_cli("explain", rgb_model / "colors.keras", *data, "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["file"] is None


def test_an_onnx_file_is_refused_with_the_way_out(toolkit_cli, exports):
    result = toolkit_cli("explain", exports["onnx-int8"])
    assert result.exit_code == 2
    assert ".tflite" in result.stderr
