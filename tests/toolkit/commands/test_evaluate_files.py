"""``toolkit evaluate`` on model files: real engines against scikit-learn on the same answers."""

import json
import shutil

import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

import runtime


def scores(path, dataset):
    with runtime.load(path) as model:
        answers = model.predict_batch(dataset.x_test).argmax(axis=1)
    return answers, precision_recall_fscore_support(dataset.y_test, answers, zero_division=0)


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
def test_json_of_a_file_equals_scikit_learn(toolkit_cli, exports, digits, tmp_path, name):
    result = toolkit_cli("evaluate", exports[name], "--json", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    answers, (precision, recall, f1, _) = scores(exports[name], digits)
    assert record["format"] == name
    assert record["accuracy"] == pytest.approx((answers == digits.y_test).mean())
    assert record["confusion_matrix"] == confusion_matrix(digits.y_test, answers).tolist()
    rows = record["per_class"].values()
    assert [row["precision"] for row in rows] == pytest.approx(precision)
    assert [row["recall"] for row in rows] == pytest.approx(recall)
    assert [row["f1"] for row in rows] == pytest.approx(f1)


def test_the_difference_of_each_class_is_the_file_minus_keras(toolkit_cli, exports, tmp_path):
    result = toolkit_cli("evaluate", exports["tflite-int8"], "--json", "--out", tmp_path)
    record = json.loads(result.stdout)
    ours, theirs = record["per_class"], record["reference"]["per_class"]
    for label, row in record["difference"].items():
        for name in ("precision", "recall", "f1"):
            assert row[name] == pytest.approx(ours[label][name] - theirs[label][name])
    delta = record["accuracy"] - record["reference"]["accuracy"]
    assert record["accuracy_delta"] == pytest.approx(delta)
    assert record["agreement"] > 0.9


def test_a_file_without_a_manifest_is_run_as_the_keras_model_is(
    toolkit_cli, exports, trained, tmp_path
):
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(trained.graphs.tflite)
    against = ("--against", trained.source.path.parent, "--out", tmp_path, "--json")
    record = json.loads(toolkit_cli("evaluate", bare, *against).stdout)
    assert record["agreement"] == 1.0
    assert record["accuracy_delta"] == 0.0


def test_a_bare_keras_model_is_run_as_its_file_says(toolkit_cli, rgb_model, tmp_path):
    """It was run with the default preprocessing, which made its file look better by far."""
    keras = rgb_model / "colors.keras"
    data = ("--data", rgb_model / "colors.npz")
    options = ("--format", "tflite", "--scale", 1.0, "--out", tmp_path)
    made = toolkit_cli("export", keras, *data, *options)
    assert made.exit_code == 0, made.output
    pictures = set(rgb_model.rglob("*.png"))
    asked = (tmp_path / "colors.float32.tflite", "--against", keras, *data, "--json")
    result = toolkit_cli("evaluate", *asked)
    record = json.loads(result.stdout)
    assert record["agreement"] == 1.0
    assert record["accuracy_delta"] == 0.0
    assert "taken from colors.float32.tflite" in result.stderr
    assert record["confusion_matrix_png"] is None
    assert set(rgb_model.rglob("*.png")) == pictures
    shown = json.loads(toolkit_cli("evaluate", *asked, "--out", tmp_path).stdout)
    assert shown["confusion_matrix_png"].startswith(str(tmp_path))


def test_text_of_a_file_fits_80_columns(toolkit_cli, exports, tmp_path):
    result = toolkit_cli("evaluate", exports["onnx-int8"], "--out", tmp_path, "--limit", 90)
    assert result.exit_code == 0
    assert "on 90 images" in result.stdout
    assert "Change: the file minus Keras" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_run_with_all_its_exports_side_by_side(toolkit_cli, digits_run, exports, tmp_path):
    options = ("--all", "--limit", 60, "--out", tmp_path)
    record = json.loads(toolkit_cli("evaluate", digits_run.path, *options, "--json").stdout)
    assert {"accuracy", "per_class", "confusion_matrix"} <= set(record)
    assert {file["format"] for file in record["artifacts"]} == set(exports)
    assert all(file["images"] == 60 for file in record["artifacts"])
    text = toolkit_cli("evaluate", digits_run.path, *options).stdout
    assert all(name in text for name in ("Keras", *exports))
    assert max(map(len, text.splitlines())) <= 80


def test_a_file_of_another_model_is_remarked_on(toolkit_cli, exports, rgb_model, tmp_path):
    file = tmp_path / "model.tflite"
    shutil.copy(exports["tflite"], file)
    data = ("--data", rgb_model / "colors.npz", "--out", tmp_path)
    result = toolkit_cli("evaluate", file, "--against", rgb_model / "colors.keras", *data)
    assert result.exit_code == 2
    assert "has 10 classes, but" in result.stderr
    assert f"{rgb_model / 'colors.keras'} takes" in result.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--all",), "--all goes with a run folder"),
        (("--limit", 0), "--limit must be at least 1"),
        (("--backend", "litret"), "Did you mean 'litert'"),
    ],
)
def test_bad_options_end_in_one_line(toolkit_cli, exports, options, words):
    result = toolkit_cli("evaluate", exports["tflite-int8"], *options)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_against_without_a_file_is_refused(toolkit_cli, digits_run):
    result = toolkit_cli("evaluate", digits_run.path, "--against", digits_run.path)
    assert result.exit_code == 2
    assert "--against goes with a model file" in result.stderr


def test_a_damaged_file_is_refused(toolkit_cli, exports, digits_run, tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(exports["tflite-int8"].read_bytes()[:-500])
    result = toolkit_cli("evaluate", broken, "--against", digits_run.path)
    assert result.exit_code == 2


def test_a_file_that_is_not_there_is_named(toolkit_cli, tmp_path):
    result = toolkit_cli("evaluate", tmp_path / "none.tflite")
    assert result.exit_code == 2
    assert "none.tflite" in result.stderr


def test_an_accuracy_near_chance_is_told_with_its_likely_causes(toolkit_cli, digits_run, tmp_path):
    import shutil

    import keras

    spoilt = tmp_path / "spoilt"
    shutil.copytree(digits_run.path, spoilt)
    model = keras.models.load_model(spoilt / "model.keras", compile=False)
    for layer in model.layers:
        layer.set_weights([0 * weight for weight in layer.get_weights()])
    model.save(spoilt / "model.keras")
    result = toolkit_cli("evaluate", spoilt)
    assert result.exit_code == 0, result.stderr
    assert "the accuracy is near chance" in result.stderr
    assert "near chance" not in toolkit_cli("evaluate", digits_run.path).stderr
