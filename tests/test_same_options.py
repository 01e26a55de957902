"""What every command of both programs does in the same way."""

import importlib

import click
import pytest

PROGRAMS = {"toolkit": "toolkit.cli", "runtime": "runtime.cli"}


def commands():
    for program, module in PROGRAMS.items():
        group = importlib.import_module(module).main
        context = click.Context(group)
        for name in group.list_commands(context):
            yield program, name, group.get_command(context, name)


ALL = list(commands())
TAKE_A_MODEL = [
    (program, name)
    for program, name, command in ALL
    if any(one.name in ("model", "artifacts", "runs") for one in command.params)
]


@pytest.mark.parametrize(("program", "name", "command"), ALL, ids=[f"{p} {n}" for p, n, _ in ALL])
def test_every_command_has_the_common_options_and_says_what_each_is_for(program, name, command):
    options = {word: one for one in command.params for word in one.opts}
    assert {"--json", "--quiet", "-q", "--debug"} <= options.keys()
    explained = [one for one in command.params if isinstance(one, click.Option)]
    silent = [one.name for one in explained if not one.help and not one.show_default]
    assert not silent, f"{program} {name}"
    assert command.help


@pytest.mark.parametrize(("program", "name"), TAKE_A_MODEL)
def test_a_missing_file_is_one_line_and_a_traceback_only_with_debug(
    program, name, toolkit_cli, runtime_cli
):
    run = toolkit_cli if program == "toolkit" else runtime_cli
    images = ("x.png",) if (program, name) == ("runtime", "predict") else ()
    plain = run(name, "nowhere.tflite", *images)
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert plain.stderr.splitlines() == ["Error: no such file or folder: nowhere.tflite"]
    loud = run(name, "nowhere.tflite", *images, "--debug", "--quiet")
    assert loud.exit_code == 2
    assert "Traceback" in loud.stderr
    assert loud.stderr.splitlines()[-1] == plain.stderr.splitlines()[0]


@pytest.mark.parametrize(("program", "name", "command"), ALL, ids=[f"{p} {n}" for p, n, _ in ALL])
def test_help_fits_80_columns(program, name, command):
    del command
    group = importlib.import_module(PROGRAMS[program]).main
    from click.testing import CliRunner

    said = CliRunner().invoke(group, [name, "--help"], terminal_width=80)
    assert said.exit_code == 0
    assert max(map(len, said.output.splitlines())) <= 80
