"""The options as a file: written by a training, read by the next."""

import json
import re
import tomllib

import pytest

from runtime.errors import InputError, UnknownNameError
from toolkit.training.config import TRAIN_TOML, read_config, write_config


def test_a_run_writes_the_file_that_repeats_it(digits_run, toolkit_cli, tmp_path):
    path = digits_run.path / TRAIN_TOML
    values = tomllib.loads(path.read_text())
    assert values["dataset"] == "digits"
    assert values["epochs"] == digits_run.config["options"]["epochs"]
    options = ("--epochs", "1", "--limit", "60", "--out", tmp_path / "runs", "--json")
    result = toolkit_cli("train", "--config", path, *options)
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    config = json.loads((tmp_path / "runs" / "latest" / "config.json").read_text())
    changed = {
        key
        for key, value in config["options"].items()
        if value != digits_run.config["options"][key]
    }
    assert changed == {"epochs", "limit"}  # what was typed wins over the file
    assert config["data"]["name"] == "digits"
    assert record["epochs"] == 1


def test_hyphens_are_taken_too(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('batch-size = 12\noptimizer = "sgd"\nmomentum = 0.9\naugment = true\n')
    assert read_config(path) == {
        "batch_size": 12,
        "optimizer": "sgd",
        "momentum": 0.9,
        "augment": True,
    }


def test_an_option_that_there_is_not_is_told_the_nearest(tmp_path, toolkit_cli):
    path = tmp_path / "mine.toml"
    path.write_text("epoch = 3\n")
    with pytest.raises(UnknownNameError, match="Did you mean 'epochs'"):
        read_config(path)
    result = toolkit_cli("train", "--config", path)
    assert (result.exit_code, "Did you mean 'epochs'" in result.stderr) == (2, True)


def test_any_path_survives_being_written(tmp_path):
    where = '/photos "2026"\\new/\N{ROCKET}'
    data = {"options": {"name": None, "path": where, "image_size": [32, 48]}}
    write_config(tmp_path / TRAIN_TOML, {"data": data, "options": {"limit": None, "epochs": 3}})
    found = read_config(tmp_path / TRAIN_TOML)
    assert found == {"data": where, "image_size": "32x48", "epochs": 3}


@pytest.mark.parametrize(
    "text", [None, "epochs = = 3", "\xff", "epochs = [1, 2]", "[data]", "seed = 2026-11-24"]
)
def test_what_cannot_be_read_is_one_line(tmp_path, text):
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="--config") as raised:
        read_config(path)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("epochs = 1.5", "epochs takes a whole number, not 1.5"),
        ("epochs = true", "epochs takes a whole number, not true"),
        ("momentum = false", "momentum takes a number, not false"),
        ('augment = "no"', 'augment takes true or false, not "no"'),
    ],
)
def test_a_value_of_another_kind_is_not_bent(tmp_path, line, words):
    path = tmp_path / "train.toml"
    path.write_text(line)
    with pytest.raises(InputError, match=re.escape(words)):
        read_config(path)


def test_a_whole_number_is_a_number(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text("learning_rate = 1")
    assert read_config(path) == {"learning_rate": 1}
