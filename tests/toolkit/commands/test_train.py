"""``toolkit train`` as a user types it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from toolkit.commands._reporter import RichReporter

ROOT = Path(__file__).parents[3]
FAST = ("--dataset", "digits", "--padding", "valid", "--limit", 100)
SMALL = ("--dataset", "digits", "--architecture", "small_network:build", "--limit", 100)


def test_a_training_prints_json_on_stdout_and_the_next_command_on_stderr(toolkit_cli, tmp_path):
    result = toolkit_cli("train", *FAST, "--epochs", 1, "--out", tmp_path, "--json")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert set(record) == {"run", "model", "parameters", "test_accuracy", "epochs", "seconds"}
    assert record["parameters"] == 232_170
    assert Path(record["model"]).is_file()
    assert f"Next: toolkit export {record['run']} --format tflite-int8" in result.stderr
    assert "epoch 1/1" in result.stderr


def test_quiet_text_output_names_accuracy_and_folder(toolkit_cli, tmp_path):
    result = toolkit_cli("train", *SMALL, "--epochs", 1, "--out", tmp_path / "new", "--quiet")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("Test accuracy ")
    assert "Run folder: " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "mnits"), "Did you mean 'mnist'"),
        (("--architecture", "tutorial"), "unknown architecture 'tutorial'"),
        (("--epochs", 0), "at least 1"),
        (("--epochs", "many"), "'many' is not a valid integer"),
        (("--limit", 0), "--limit must be at least 1"),
        (("--padding", "full"), "Known: same, valid"),
        (("--precision", "int8"), "unknown precision"),
        (("--seed", -1), "seed"),
        (("--optimizer", "adm"), "Did you mean 'adam'"),
        (("--momentum", 0.9), "optimizer adam takes no --momentum; these do: rmsprop, sgd"),
        (("--schedule", "cosine", "--plateau-factor", 0.2), "no effect with --schedule cosine"),
        (("--warmup", 30), "--warmup must lie between 0 and 29"),
        (("--rotate", 20), "--rotate has no effect without --augment"),
        (("--augment", "--zoom", 100), "less than 100 per cent"),
        (("--freeze", 2), "--from RUN"),
        (("--learning-rate", 0), "learning rate"),
        (("--data", "nowhere.npz", "--dataset", "npz"), "nowhere.npz"),
        (("--image-size", "huge"), "neither like 32 nor like 32x48"),
        (("--fit", "squeeze"), "unknown fit 'squeeze'"),
    ],
)
def test_bad_input_ends_in_one_line_with_exit_code_2(toolkit_cli, tmp_path, arguments, words):
    result = toolkit_cli("train", "--dataset", "digits", "--out", tmp_path, *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_ctrl_c_prints_the_command_that_goes_on(toolkit_cli, tmp_path, monkeypatch):
    @contextmanager
    def interrupted(self, number, epochs, steps):
        def tick(logs):
            if number == 2:
                raise KeyboardInterrupt

        yield tick

    with monkeypatch.context() as patch:
        patch.setattr(RichReporter, "epoch", interrupted)
        result = toolkit_cli("train", *SMALL, "--epochs", 2, "--out", tmp_path / "my runs")
    assert result.exit_code == 130
    assert "interrupted after epoch 1; the best model so far is" in result.stderr
    command = shlex.split(result.stderr.split("Continue: ")[1])
    assert command[:3] == ["toolkit", "train", "--resume"]
    resumed = toolkit_cli(*command[1:], "--json")
    assert resumed.exit_code == 0
    assert json.loads(resumed.stdout)["epochs"] == 2


def test_ctrl_c_before_the_first_epoch_is_told(toolkit_cli, tmp_path, monkeypatch):
    @contextmanager
    def interrupted(self, number, epochs, steps):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(RichReporter, "epoch", interrupted)
    result = toolkit_cli("train", *FAST, "--out", tmp_path)
    assert result.exit_code == 130
    assert "nothing is kept" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_real_sigint_keeps_the_checkpoint(tmp_path):
    arguments = [str(a) for a in (*FAST, "--epochs", 2000, "--out", tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit", "train", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("*.partial/checkpoint/state.json")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    assert f"Continue: toolkit train --resume {tmp_path}" in stderr
    (partial,) = tmp_path.glob("*.partial")
    assert (partial / "checkpoint" / "best.keras").is_file()


def test_nothing_to_resume(toolkit_cli, tmp_path):
    for place, said in (("nowhere", "no such file or folder"), (tmp_path, "nothing to resume")):
        result = toolkit_cli("train", "--resume", place)
        assert result.exit_code == 2
        assert said in result.stderr


@pytest.mark.parametrize("option", [("--epochs", 4), ("--dataset", "digits"), ("--seed", 1)])
def test_resume_refuses_options_that_it_would_ignore(toolkit_cli, tmp_path, option):
    result = toolkit_cli("train", "--resume", tmp_path, *option)
    assert result.exit_code == 2
    assert f"{option[0]} is set there" in result.stderr
