"""What an engine writes is read, and does not reach the terminal."""

import os
import sys

import pytest

from runtime.backends.gpu.engine_log import captured
from runtime.terminal.silence import silenced


def test_lines_of_both_streams_are_collected(capfd):
    with captured() as log:
        os.write(1, b"from C\n")
        os.write(2, b"from C, too\n")
        assert log.text == ""
    assert "from C\n" in log.text
    assert "from C, too\n" in log.text
    assert capfd.readouterr() == ("", "")
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "after\n"


def test_they_are_there_after_an_exception_and_inside_silence():
    def fail():
        os.write(2, b"reason")
        raise ValueError("stop")

    with silenced(), pytest.raises(ValueError, match="stop"), captured() as log:
        fail()
    assert log.text == "reason"
    assert sys.stdout is not None
