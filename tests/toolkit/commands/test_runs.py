"""``toolkit runs`` and what it reads of a folder of runs."""

import json
import shutil

import pytest

from runtime.errors import InputError, UnknownNameError
from toolkit.runs import listing, run
from toolkit.runs.files import write_json


@pytest.fixture
def folder(tmp_path, digits_run):
    """A folder with a real run, a second one without files, and a link to the first."""
    parent = tmp_path / "runs"
    parent.mkdir()
    for name, accuracy, seconds in (("a-digits-cnn", 0.5, 9.0), ("b-digits-cnn", 0.75, 3.5)):
        path = parent / name
        path.mkdir()
        shutil.copy(digits_run.model, path / run.MODEL)
        write_json(path / run.CONFIG, digits_run.config | {"options": {"seed": accuracy}})
        metrics = {"test_accuracy": accuracy, "seconds": seconds, "parameters": 1234, "epochs": 2}
        write_json(path / run.METRICS, metrics)
    (parent / "latest").symlink_to("a-digits-cnn")
    return parent


def verdicts(folder, name="a-digits-cnn"):
    (row,) = (row for row in listing.list_runs(folder) if row.name == name)
    return {file.format: file.verdict for file in row.files}


def test_a_table_of_runs_with_accuracy_parameters_and_seconds(toolkit_cli, folder):
    result = toolkit_cli("runs", folder)
    assert result.exit_code == 0, result.output
    for text in ("a-digits-cnn", "75.00%", "1,234", "9.0", "none"):
        assert text in result.stdout
    assert "latest" not in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("key", "first"),
    [("accuracy", "b"), ("seconds", "b"), ("name", "a"), ("started", "b"), ("files", "a")],
)
def test_sorted_by_a_key(folder, exports, key, first):
    shutil.copytree(exports["tflite-int8"].parent, folder / "a-digits-cnn" / "exports")
    assert listing.list_runs(folder, key)[0].name.startswith(first)


def test_runs_without_the_value_come_last(folder):
    (folder / "b-digits-cnn" / run.METRICS).unlink()
    assert [row.accuracy for row in listing.list_runs(folder, "accuracy")] == [0.5, None]


def test_a_mistyped_key_is_answered_with_the_nearest(toolkit_cli, folder):
    result = toolkit_cli("runs", folder, "--sort", "acuracy")
    assert result.exit_code == 2
    assert "Did you mean 'accuracy'" in result.stderr
    with pytest.raises(UnknownNameError):
        listing.list_runs(folder, "size")


def test_a_fresh_export_is_checked_and_not_more(folder, exports):
    shutil.copytree(exports["tflite-int8"].parent, folder / "a-digits-cnn" / "exports")
    assert verdicts(folder) == dict.fromkeys(exports, "checked")


def test_a_file_of_another_model_is_stale_and_a_cut_one_damaged(folder, exports):
    place = folder / "a-digits-cnn" / "exports"
    place.mkdir()
    (place / "cut.tflite").write_bytes(exports["tflite-int8"].read_bytes()[:-400])
    shutil.copy(exports["onnx-int8"], place)
    (folder / "a-digits-cnn" / run.MODEL).write_bytes(b"another model")
    found = verdicts(folder)
    assert found.pop("onnx-int8") == "stale"
    assert set(found.values()) <= {"damaged", "not verified"}
    assert found


def test_a_verified_file_passes(toolkit_cli, folder, exports):
    place = folder / "a-digits-cnn" / "exports"
    place.mkdir()
    shutil.copy(exports["tflite"], place)
    against = ("--against", exports["tflite"].parents[1])
    done = toolkit_cli("verify", *place.iterdir(), *against, "--golden", "--limit", 100)
    assert done.exit_code == 0, done.output
    assert verdicts(folder) == {"tflite": "pass"}


def test_unfinished_and_damaged_folders_are_shown_as_such(toolkit_cli, folder):
    run.start(folder, "digits-cnn")
    (folder / "b-digits-cnn" / run.CONFIG).write_text("{")
    (folder / "a-digits-cnn" / run.MODEL).unlink()
    (folder / "notes").mkdir()
    record = json.loads(toolkit_cli("runs", folder, "--json").stdout)
    status = {row["name"][0]: row["status"] for row in record}
    assert status == {"a": "damaged", "b": "damaged", "2": "unfinished"}
    assert all(row["problem"] for row in record)
    assert "model.keras missing" in toolkit_cli("runs", folder).stdout


@pytest.mark.parametrize("text", ["[]", '{"name": 1', '{"other": 1}'])
def test_a_strange_configuration_is_no_crash(toolkit_cli, folder, text):
    (folder / "a-digits-cnn" / run.CONFIG).write_text(text)
    result = toolkit_cli("runs", folder, "--json")
    assert result.exit_code == 0
    assert [row["status"] for row in json.loads(result.stdout)] == ["finished", "damaged"]


def test_two_runs_are_compared_by_name(toolkit_cli, folder):
    compare = ("--compare", "a-digits-cnn", "b-digits-cnn")
    result = toolkit_cli("runs", folder, *compare, "--json")
    found = json.loads(result.stdout)["differences"]
    assert found["options.seed"] == [0.5, 0.75]
    assert found["results.seconds"] == [9.0, 3.5]
    assert "data.sha256" not in found
    assert "options.seed: 0.5 -> 0.75" in toolkit_cli("runs", folder, *compare).stdout
    same = toolkit_cli("runs", folder, "--compare", "a-digits-cnn", "a-digits-cnn")
    assert "record the same" in same.stdout


def test_without_runs_it_says_how_to_make_one(toolkit_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for arguments in ([], ["empty"]):
        result = toolkit_cli("runs", *arguments)
        assert result.exit_code == 2
        assert "toolkit train" in result.stderr
    with pytest.raises(InputError, match="is not a finished run"):
        listing.differences(tmp_path, tmp_path)
