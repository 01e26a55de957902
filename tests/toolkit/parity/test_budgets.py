"""Which limits apply: those of the format, of a TOML table, of options."""

import pytest

from exporters.budget import EXACT, INTEGER, ON_GPU
from runtime.errors import InputError, UnknownNameError
from toolkit.parity.budgets import Budgets, load_budgets


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "limits.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_without_anything_the_formats_decide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    budgets = load_budgets({})
    assert budgets == Budgets()
    assert budgets.of("tflite") == EXACT
    assert budgets.of("tflite-int8") == budgets.of("made elsewhere") == INTEGER


def test_options_win_over_the_format_over_the_table(toml):
    path = toml(
        "[tool.edge-toolkit.parity]\nmax-drop = 0.3\nmin_agreement = 0.98\n"
        "[tool.edge-toolkit.parity.tflite-int8]\nmax-drop = 0.2\n"
    )
    budgets = load_budgets({"min_agreement": 0.9}, path)
    assert budgets.origin == path
    assert budgets.of("tflite-int8").max_drop == 0.2
    assert budgets.of("onnx-int8").max_drop == 0.3
    assert budgets.of("onnx-int8").min_agreement == 0.9
    assert budgets.of("onnx-int8").max_abs_error == INTEGER.max_abs_error


def test_pyproject_of_the_current_folder_is_read_if_it_has_the_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert load_budgets({}).origin is None
    (tmp_path / "pyproject.toml").write_text("[tool.edge-toolkit.parity]\nmax-drop = 1\n")
    assert load_budgets({}).of("onnx").max_drop == 1.0
    (tmp_path / "pyproject.toml").write_text("no toml at all")
    assert load_budgets({}).origin is None


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("max-drop = 1", InputError, "has no table"),
        ("[tool.edge-toolkit]\nparity = 3", InputError, "must be a table"),
        ("[tool.edge-toolkit.parity]\nmax-drp = 1", UnknownNameError, "Did you mean 'max-drop'"),
        ("[tool.edge-toolkit.parity]\nmax-drop = true", InputError, "must be a number, not True"),
        ("[tool.edge-toolkit.parity]\nmax-drop = '1'", InputError, "must be a number, not '1'"),
        ("[tool.edge-toolkit.parity]\nmax-drop = 101", InputError, "0…100, not 101"),
        ("[tool.edge-toolkit.parity]\nmin-cosine = 2", InputError, "min-cosine lies in 0…1"),
        (
            "[tool.edge-toolkit.parity.tflite-int9]\nmax-drop = 1",
            UnknownNameError,
            "Did you mean 'tflite-int8'",
        ),
        ("= 3", InputError, "is no TOML"),
    ],
)
def test_a_wrong_file_is_one_clear_line(toml, text, error, words):
    with pytest.raises(error, match=words):
        load_budgets({}, toml(text))


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_budgets({}, tmp_path / "gone.toml")


def test_a_gpu_has_its_own_limits_before_those_of_the_format(toml):
    assert Budgets().on_gpu("tflite", "float32") == ON_GPU["float32"]
    assert Budgets().on_gpu("tflite", "float16") == ON_GPU["float16"]
    assert Budgets().on_gpu("tflite-int8", "float32") == INTEGER
    path = toml(
        "[tool.edge-toolkit.parity]\nmax-kl = 0.3\n"
        "[tool.edge-toolkit.parity.tflite]\nmax-drop = 0.2\nmin-cosine = 0.5\n"
        "[tool.edge-toolkit.parity.gpu]\nmax-drop = 0.4\nmax-abs-error = 0.1\n"
    )
    budgets = load_budgets({"max_abs_error": 0.2}, path)
    found = budgets.on_gpu("tflite", "float32")
    assert (found.max_kl, found.max_drop, found.min_cosine) == (0.3, 0.4, 0.5)
    assert found.max_abs_error == 0.2
    assert budgets.of("tflite").max_drop == 0.2
    assert load_budgets({}, path).of("tflite").max_abs_error == EXACT.max_abs_error


def test_a_wrong_limit_for_a_gpu_is_reported(toml):
    with pytest.raises(InputError, match="0…1"):
        load_budgets({}, toml("[tool.edge-toolkit.parity.gpu]\nmin-agreement = 2\n"))
