"""The command ``runtime`` as a process: it ends at once, but with its code and all its output."""

import json
import subprocess
import sys

import pytest

START = [sys.executable, "-m", "runtime"]


def run(*arguments, **options):
    command = [*START, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_the_exit_codes_are_those_of_the_commands(exports, digit_files):
    pytest.importorskip("ai_edge_litert")
    model = exports["tflite-int8"]
    assert run("predict", model, digit_files[0]).returncode == 0
    assert run("predict", model, digit_files[0], "missing.png").returncode == 1
    assert run("predict", "missing.tflite", digit_files[0]).returncode == 2
    assert run("predict").returncode == 2
    assert run("--help").returncode == 0


def test_all_output_arrives_in_a_pipe(exports, digit_files):
    pytest.importorskip("ai_edge_litert")
    files = digit_files * 30
    done = run("predict", exports["tflite-int8"], *files, "--json")
    lines = done.stdout.splitlines()
    assert len(lines) == len(files)
    assert json.loads(lines[-1])["file"] == str(files[-1])
    assert "on litert (cpu)" in done.stderr


def test_a_reader_that_leaves_is_no_traceback():
    command = [*START, "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        printed = process.stderr.read().decode()
    assert "Traceback" not in printed
    assert "Exception ignored" not in printed


def test_what_is_to_be_done_at_the_end_is_done():
    code = (
        "import atexit, sys; atexit.register(lambda: sys.stdout.write('done at the end'));"
        "sys.argv = ['runtime', '--version']; from runtime.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.endswith("done at the end")


def test_a_program_that_calls_the_command_line_lives_on():
    code = (
        "from runtime.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit as end: print('still here', end.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "still here 0"
