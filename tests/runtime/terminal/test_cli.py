"""Lazy commands, and errors as one line with an exit code."""

from __future__ import annotations

import json
import sys

import click
import pytest
from click.testing import CliRunner

from runtime.errors import (
    ArtifactError,
    BackendError,
    CalibrationError,
    DataError,
    DeviceUnavailableError,
    EdgeError,
    ExportError,
    InputError,
    IntegrityError,
    MissingDependencyError,
    ParityError,
    UnknownNameError,
)
from runtime.terminal.cli import LazyGroup, Output, output_options

COMMAND = """
import click
from runtime.terminal.cli import output_options
hook = None

@click.command()
@output_options
def command(output):
    hook(output)
"""


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Make a program with the commands ``act`` and ``never``; the second cannot be imported."""
    folder = tmp_path / "commands_under_test"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "act.py").write_text(COMMAND)
    (folder / "never.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    lazy = {"act": "Do it.", "never": "Do not."}
    yield LazyGroup(name="program", package="commands_under_test", lazy=lazy)
    for name in [n for n in sys.modules if n.startswith("commands_under_test")]:
        del sys.modules[name]


@pytest.fixture
def invoke(group):
    def run(*arguments, hook=lambda output: None):
        import commands_under_test.act

        commands_under_test.act.hook = hook
        return CliRunner().invoke(group, arguments)

    return run


def raising(error):
    def hook(output):
        raise error

    return hook


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownNameError("format", "tflit", ["tflite"]), 2),
        (MissingDependencyError("onnxruntime", "onnx", "run it"), 3),
        (BackendError("refused"), 3),
        (DeviceUnavailableError("no gpu"), 3),
        (ArtifactError("bad"), 2),
        (IntegrityError("bad"), 2),
        (InputError("bad"), 2),
        (DataError("bad"), 2),
        (ExportError("bad"), 2),
        (CalibrationError("bad"), 2),
        (ParityError("bad"), 1),
        (KeyboardInterrupt(), 130),
        (KeyboardInterrupt("go on with x"), 130),
        (FileNotFoundError(2, "No such file or directory", "a.txt"), 2),
        (OSError(28, "No space left on device"), 2),
        (ZeroDivisionError("surprise"), 1),
        (click.UsageError("use one of them"), 2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_every_error_is_one_line_and_its_exit_code(invoke, error, code):
    result = invoke("act", hook=raising(error))
    assert result.exit_code == code
    assert "Traceback" not in result.output
    assert result.stdout == ""
    last = result.stderr.strip().splitlines()[-1]
    if isinstance(error, EdgeError):
        assert result.stderr == f"Error: {error}\n"
    elif isinstance(error, ZeroDivisionError):
        assert "this is a bug; run it again with --debug" in last
    elif isinstance(error, OSError):
        assert last == f"Error: {error.filename + ': ' if error.filename else ''}{error.strerror}"
    elif isinstance(error, KeyboardInterrupt):
        assert last == f"Error: {str(error) or 'interrupted'}"


def test_lines_of_a_message_are_joined(invoke):
    assert invoke("act", hook=raising(InputError("a\n  b"))).stderr == "Error: a b\n"


def test_debug_shows_the_traceback_too(invoke):
    result = invoke("act", "--debug", hook=raising(InputError("bad")))
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("Error: bad\n")
    assert result.exit_code == 2


def test_json_goes_to_stdout_and_remarks_to_stderr(invoke):
    def hook(output):
        output.data({"a": "ä"}, "text")
        output.say("remark")
        output.next("do this")

    plain, as_json = invoke("act", hook=hook), invoke("act", "--json", hook=hook)
    assert plain.stdout == "text\n"
    assert json.loads(as_json.stdout) == {"a": "ä"}
    assert plain.stderr == as_json.stderr == "remark\n\nNext: do this\n"
    assert invoke("act", "--quiet", hook=hook).stderr == ""


def test_help_lists_commands_without_importing_them(group):
    result = CliRunner().invoke(group, ["--help"])
    assert result.exit_code == 0
    assert "never  Do not." in result.stdout
    assert "commands_under_test" not in sys.modules


def test_a_mistyped_command_is_told_the_nearest(group):
    result = CliRunner().invoke(group, ["nevr"])
    assert result.exit_code == 2
    assert "No such command 'nevr'. Did you mean 'never'?" in result.stderr
    unlike = CliRunner().invoke(group, ["zzz"])
    assert (unlike.exit_code, "No such command 'zzz'" in unlike.stderr) == (2, True)


def test_nobody_watches_a_pipe():
    assert not Output().interactive


def test_output_options_hand_their_values_on():
    seen = []

    @click.command()
    @output_options
    def command(output):
        seen.append(output)

    CliRunner().invoke(command, ["--json", "-q"])
    assert seen == [Output(as_json=True, quiet=True)]


def test_ctrl_c_that_a_library_turned_into_another_error_is_still_ctrl_c(invoke):
    """numpy does so while it is imported."""

    def hook(output):
        raise ImportError("numpy: your installation is broken") from KeyboardInterrupt()

    result = invoke("act", hook=hook)
    assert result.exit_code == 130
    assert result.stderr == "Error: interrupted\n"
