"""What is printed for a person to type must mean the same model again."""

import shlex
from pathlib import Path

from toolkit.datasets import DataOptions
from toolkit.trained_model import Overrides, resolve
from toolkit.typed import named


def test_a_run_knows_all_of_it(subject, digits_run):
    assert named(subject) == shlex.quote(str(digits_run.path))


def test_a_file_is_named_with_its_data_and_what_was_said_of_it(rgb_model, tmp_path):
    folder = tmp_path / "my models"
    folder.symlink_to(rgb_model)
    said = Overrides("mine", ("a b", "c", "d"), 1.0, (0.0, 0.5, 1.0))
    data = DataOptions(path=folder / "colors.npz", polarity="as-is")
    words = shlex.split(named(resolve(folder / "colors.keras", data, said)))
    assert words[:3] == [str(folder / "colors.keras"), "--data", str(folder / "colors.npz")]
    pairs = dict(zip(words[3::2], words[4::2], strict=True))
    assert pairs == {
        "--polarity": "as-is",
        "--name": "mine",
        "--labels": "a b,c,d",
        "--scale": "1.0",
        "--mean": "0.0,0.5,1.0",
    }


def test_what_it_names_can_be_typed(toolkit_cli, rgb_model, tmp_path):
    data = DataOptions(path=Path(rgb_model / "colors.npz"))
    subject = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    options = ("--format", "tflite", "--out", tmp_path)
    done = toolkit_cli("export", *shlex.split(named(subject)), *options)
    assert done.exit_code == 0, done.output
    assert "Warning" not in done.stderr
