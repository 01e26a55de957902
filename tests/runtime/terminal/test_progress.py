"""The progress bar of measurements whose time is known beforehand."""

import os
import pty
import subprocess
import sys

import pytest

from runtime.terminal import progress
from runtime.terminal.cli import Output

LATE = """
import time
from runtime.terminal import progress
from runtime.terminal.cli import Output
progress._INTERVAL = 0.01
try:
    with progress.progress_bar(Output(), "timing", 0.05):
        time.sleep(1.2)
        raise LookupError
except LookupError:
    print("ended")
"""


def on_a_terminal(*command):
    """Run Python with stderr on a terminal; return its exit code and what was shown."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, *map(str, command)], stdout=subprocess.DEVNULL, stderr=slave
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                shown += os.read(master, 4096)
            except OSError:  # the other end is closed
                break
    os.close(master)
    return process.returncode, shown.decode()


def test_nothing_is_drawn_in_a_pipe(capfd):
    with progress.progress_bar(Output(), "timing", 1.0):
        pass
    assert capfd.readouterr().err == ""


def test_after_the_expected_time_the_time_so_far_is_shown_and_an_error_ends_the_bar():
    code, shown = on_a_terminal("-c", LATE)
    assert code == 0
    assert "timing" in shown
    assert "1 s so far" in shown
    assert shown.endswith("\n")


SHORT = ["--threads", "1", "--batch", "1", "--seconds", "0.5"]


@pytest.mark.parametrize("options", [SHORT, ["--all", *SHORT]])
def test_a_bench_on_a_terminal_shows_the_time_left(exports, options):
    code, shown = on_a_terminal("-m", "runtime", "bench", exports["tflite-int8"], *options)
    assert code == 0
    assert "measuring" in shown
    assert "00:00:0" in shown
