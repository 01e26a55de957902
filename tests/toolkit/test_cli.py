"""The command line as a whole."""

import pytest

from toolkit.cli import _COMMANDS


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_help_with_the_common_options(toolkit_cli, command):
    result = toolkit_cli(command, "--help")
    assert result.exit_code == 0
    assert all(option in result.stdout for option in ("--json", "--quiet", "--debug"))


def test_the_help_lists_all_commands(toolkit_cli):
    result = toolkit_cli("--help")
    assert result.exit_code == 0
    assert all(command in result.stdout for command in _COMMANDS)


def test_a_mistyped_command_suggests_the_right_one(toolkit_cli):
    result = toolkit_cli("exprt")
    assert result.exit_code == 2
    assert "Did you mean 'export'?" in result.stderr


def test_debug_shows_the_traceback(toolkit_cli, tmp_path):
    quiet = toolkit_cli("evaluate", tmp_path)
    loud = toolkit_cli("evaluate", tmp_path, "--debug")
    assert (quiet.exit_code, loud.exit_code) == (2, 2)
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr


def test_an_error_that_nobody_expected_is_one_line_too(toolkit_cli, tmp_path, monkeypatch):
    from toolkit import trained_model

    def broken(*arguments):
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(trained_model, "locate", broken)
    result = toolkit_cli("evaluate", tmp_path)
    assert result.exit_code == 1
    assert "ZeroDivisionError: inside (this is a bug" in result.stderr
    assert len(result.stderr.splitlines()) == 1
