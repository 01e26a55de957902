"""The chatter of engines is held back, also that of C++ parts."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.terminal.silence import silenced

CHATTER = """
import os, subprocess, sys, warnings
from runtime.terminal.silence import silenced
sys.stdout.write("before ")
with silenced():
    print("python")
    print("error", file=sys.stderr)
    os.write(1, b"descriptor 1")
    os.write(2, b"descriptor 2")
    subprocess.run(["sh", "-c", "echo child"])
    warnings.warn("a warning")
print("after")
"""


def test_what_python_and_c_write_is_held_back_and_nothing_else_is_lost():
    # in a process of its own: under pytest, sys.stdout is not the file descriptor 1
    done = subprocess.run([sys.executable, "-c", CHATTER], check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"before after\n", b"")


def test_the_streams_come_back_after_an_error(capfd):
    def fail():
        os.write(2, b"hidden")
        raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"), silenced():
        fail()
    os.write(2, b"visible")
    assert capfd.readouterr() == ("", "visible")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files through /proc")
def test_no_file_descriptor_is_left_open():
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for _ in range(20):
        with silenced():
            pass
    assert count() == before


def test_a_replaced_stdout_is_held_back_too(monkeypatch):
    # as in a notebook: print does not end in file descriptor 1
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    sys.stdout.write("before ")
    with silenced():
        sys.stdout.write("inside ")
    sys.stdout.write("after")
    assert stream.getvalue() == "before after"
