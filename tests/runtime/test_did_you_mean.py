"""A mistyped file or folder is told the one that is there."""

from pathlib import Path

import pytest

from runtime.errors import did_you_mean


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "runs" / "latest").mkdir(parents=True)
    (tmp_path / "runs" / "latest" / "model.keras").touch()
    (tmp_path / "seven.png").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("sevn.png", "seven.png"),
        ("runs/latst", "runs/latest"),
        ("run/latest/model.keras", "runs/latest/model.keras"),  # the folder is mistyped
        ("runs/latest/modle.keras", "runs/latest/model.keras"),
        ("run/other/model.keras", "runs"),  # as far as it goes
        ("quite different", ""),
        ("nothing/like/it.png", ""),
    ],
)
def test_the_nearest_name_is_told(folder, named, meant):
    del folder
    assert did_you_mean(named) == (f". Did you mean '{meant}'?" if meant else "")


def test_an_absolute_path_is_told_as_one(folder):
    assert did_you_mean(folder / "sevn.png") == f". Did you mean '{folder / 'seven.png'}'?"


def test_a_folder_that_may_not_be_read_is_no_error(folder, monkeypatch):
    def refuse(_):
        raise PermissionError

    monkeypatch.setattr("os.listdir", refuse)
    assert did_you_mean(Path(folder) / "sevn.png") == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["info", "modl.tflite"], "modl.tflite. Did you mean 'model.tflite'?"),
        (["info", "model.tflit"], "model.tflit. Did you mean 'model.tflite'?"),
        (["bench", "modl.tflite"], "modl.tflite. Did you mean 'model.tflite'?"),
        (["verify", "modl.tflite"], "modl.tflite. Did you mean 'model.tflite'?"),
        (["tune", "modl.tflite"], "modl.tflite. Did you mean 'model.tflite'?"),
        (["predict", "modl.tflite", "seven.png"], "Did you mean 'model.tflite'?"),
        (["predict", "model.tflite", "--watch", "rusn"], "rusn. Did you mean 'runs'?"),
    ],
)
def test_commands_of_the_device_tell_it(folder, runtime_cli, arguments, said):
    (folder / "model.tflite").touch()
    result = runtime_cli(*arguments)
    assert (result.exit_code, said in result.stderr) == (2, True)


def test_a_mistyped_image_is_told(folder, runtime_cli, exports):
    del folder
    result = runtime_cli("predict", exports["tflite-int8"], "sevn.png")
    assert result.exit_code == 2
    assert "sevn.png: no such file. Did you mean 'seven.png'?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["export", "runs/latst"], "runs/latest"),
        (["evaluate", "runs/latest/modle.keras"], "runs/latest/model.keras"),
        (["verify", "--against", "runs/latst"], "runs/latest"),
        (["runs", "rusn"], "runs"),
        (["explain", "runs/latst"], "runs/latest"),
        (["report", "runs/latst"], "runs/latest"),
        (["train", "--data", "sevn.png"], "seven.png"),
        (["train", "--from", "runs/latst"], "runs/latest"),
        (["train", "--resume", "runs/latst"], "runs/latest"),
        (["train", "--config", "sevn.png"], "seven.png"),
        (["verify", "runs/latest/modle.keras"], "runs/latest/model.keras"),
        (["diagnose", "runs/latest/modle.keras"], "runs/latest/model.keras"),
        (["recommend", "runs/latest/modle.keras"], "runs/latest/model.keras"),
        (["compress", "runs/latst"], "runs/latest"),
        (["ensemble", "runs/latest", "runs/latst"], "runs/latest"),
        (["bench", "runs/latst"], "runs/latest"),
    ],
)
def test_commands_of_the_workstation_tell_it(folder, toolkit_cli, arguments, meant):
    del folder
    result = toolkit_cli(*arguments)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.stderr
