"""The line that tells how long a measurement still takes."""

import os
import pty
import subprocess
import sys
import time

import pytest

from runtime.terminal import progress
from runtime.terminal.cli import Output


def test_the_time_left_is_told_and_then_the_time_so_far():
    assert progress.line("timing", 0.0, 10.0) == f"timing {'░' * 20} about 10 s left"
    assert progress.line("timing", 7.6, 10.0) == f"timing {'█' * 15}{'░' * 5} about 2 s left"
    assert progress.line("timing", 12.2, 10.0) == f"timing {'█' * 20} 12 s so far"
    assert progress.line("timing", 1.0, 0.0).endswith("1 s so far")


def test_nobody_watches_a_pipe(capfd):
    with progress.countdown(Output(), "timing", 1.0):
        pass
    assert capfd.readouterr().err == ""


def test_the_line_goes_away_also_after_an_error(monkeypatch, capfd):
    monkeypatch.setattr(Output, "interactive", True)
    monkeypatch.setattr(progress, "_INTERVAL", 0.01)

    def fail():
        time.sleep(0.1)
        raise LookupError

    with pytest.raises(LookupError), progress.countdown(Output(), "timing", 5.0):
        fail()
    shown = capfd.readouterr().err
    assert "timing ░" in shown
    assert shown.endswith("\r\x1b[K")


@pytest.mark.parametrize("options", [["--seconds", "0.6"], ["--all", "--seconds", "0.6"]])
def test_a_bench_on_a_terminal_tells_the_time_left(exports, options):
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "runtime", "bench", exports["tflite-int8"]]
    with subprocess.Popen(
        [*map(str, command), *options], stdout=subprocess.DEVNULL, stderr=slave
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                shown += os.read(master, 4096)
            except OSError:  # the other end is closed
                break
    os.close(master)
    assert process.returncode == 0
    assert "s left" in shown.decode()
