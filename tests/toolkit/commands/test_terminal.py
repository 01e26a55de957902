"""What a person sees who watches: bars with the time left, colours only where they are wanted."""

import os
import re
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty", reason="no pseudo terminals on this system")

WATCHED = """
import time
from runtime.terminal.cli import Output
from toolkit.commands._reporter import RichReporter
reporter = RichReporter(Output({options}))
with reporter.task("answering", 4) as tick:
    for _ in range(4):
        time.sleep(0.12)
        tick(1)
with reporter.epoch(1, 2, 2) as tick:
    time.sleep(0.12)
    tick({{"loss": 0.5}})
reporter.say("done")
"""
COLOUR = re.compile(r"\x1b\[[0-9;]*?(3[0-7]|38|9[0-7])[0-9;]*m")


def watch(options="", **variables):
    """Return what the program writes to a terminal of 80 columns."""
    near, far = pty.openpty()
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment = kept | {"TERM": "xterm-256color", "COLUMNS": "80"} | variables
    program = [sys.executable, "-c", WATCHED.format(options=options)]
    with subprocess.Popen(program, stdin=far, stdout=far, stderr=far, env=environment) as process:
        os.close(far)
        seen = b""
        while True:
            try:
                piece = os.read(near, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            seen += piece
    os.close(near)
    assert process.returncode == 0
    return seen.decode()


def test_bars_are_drawn_with_the_time_left_and_in_colour():
    seen = watch()
    assert "answering" in seen
    assert "4/4" in seen
    assert re.search(r"\d:\d\d:\d\d", seen)
    assert "loss 0.5000" in seen
    assert COLOUR.search(seen)


def test_no_color_is_honoured():
    seen = watch(NO_COLOR="1")
    assert "4/4" in seen
    assert not COLOUR.search(seen)


def test_who_wants_quiet_sees_no_bar():
    seen = watch("quiet=True")
    assert "answering" not in seen
    assert "\x1b" not in seen
