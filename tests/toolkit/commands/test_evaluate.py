"""``toolkit evaluate`` as a user types it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score


@pytest.fixture
def answers(trained):
    """Return what Keras's own predict says about the test images."""
    import keras

    model = keras.models.load_model(trained.source.path)
    x = trained.dataset.x_test.astype(np.float32) / 255
    return model.predict(x, verbose=0).argmax(axis=1)


def test_json_equals_scikit_learn(toolkit_cli, digits_run, tmp_path, answers, digits):
    result = toolkit_cli("evaluate", digits_run.path, "--json", "--out", tmp_path)
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    truth = digits.y_test
    assert {"accuracy", "per_class", "confusion_matrix"} <= set(record)
    assert record["accuracy"] == pytest.approx(accuracy_score(truth, answers))
    assert record["confusion_matrix"] == confusion_matrix(truth, answers).tolist()
    recall = recall_score(truth, answers, average=None)
    assert [record["per_class"][str(n)]["recall"] for n in range(10)] == pytest.approx(recall)
    f1 = f1_score(truth, answers, average="macro")
    assert record["averages"]["macro"]["f1"] == pytest.approx(f1)
    with Image.open(record["confusion_matrix_png"]) as picture:
        assert picture.format == "PNG"


def test_the_picture_of_a_file_in_a_run_goes_into_the_run(
    toolkit_cli, digits_run, tmp_path, monkeypatch
):
    """It went where the user stood."""
    monkeypatch.chdir(tmp_path)
    result = toolkit_cli("evaluate", digits_run.model, "--dataset", "digits", "--json")
    assert result.exit_code == 0, result.stderr
    picture = Path(json.loads(result.stdout)["confusion_matrix_png"])
    assert picture.parent == digits_run.path
    picture.unlink()
    assert not list(tmp_path.iterdir())


def test_text_shows_accuracy_and_matrix(toolkit_cli, digits_run, tmp_path):
    result = toolkit_cli("evaluate", digits_run.path, "--out", tmp_path, "--limit", 50)
    assert result.exit_code == 0
    assert "on 50 images" in result.stdout
    assert "Confusion matrix (rows: truth, columns: predictions)" in result.stdout
    assert "mean (macro)" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_a_model_of_the_users_own(toolkit_cli, rgb_model, tmp_path):
    data = ("--data", rgb_model / "colors.npz", "--scale", 1, "--out", tmp_path, "--json")
    result = toolkit_cli("evaluate", rgb_model / "colors.keras", *data)
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert record["labels"] == ["red", "green", "blue"]
    assert record["accuracy"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--limit", 0), "--limit must be at least 1"),
        (("--labels", "a,b"), "10 classes, but there are 2 labels"),
        (("--dataset", "mnits"), "Did you mean 'mnist'"),
        (("--mean", "x"), "--mean takes one number"),
        (("--std", "0"), "not zero"),
    ],
)
def test_bad_input_ends_in_one_line_with_exit_code_2(toolkit_cli, digits_run, arguments, words):
    result = toolkit_cli("evaluate", digits_run.path, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_without_a_run_it_says_how_to_make_one(toolkit_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = toolkit_cli("evaluate")
    assert result.exit_code == 2
    assert "train a model first: toolkit train" in result.stderr
