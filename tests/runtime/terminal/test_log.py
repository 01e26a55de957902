"""The log on stderr: with ``--debug`` only, also while the output of an engine is suppressed."""

import logging
import subprocess
import sys

import pytest

from runtime.terminal.log import log_on_stderr


def test_debug_shows_which_engine_was_opened(tiny):
    pytest.importorskip("onnxruntime")
    command = [sys.executable, "-m", "runtime", "info", tiny.path, "--backend", "onnxruntime"]
    plain = subprocess.run(command, capture_output=True, text=True, check=True)
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=True)
    assert "opened in" not in plain.stderr
    assert f"runtime: {tiny.path.name}: opened in onnxruntime" in debug.stderr
    assert debug.stdout == plain.stdout


def test_the_loggers_are_as_before_afterwards(capfd):
    logger = logging.getLogger("runtime")
    before = (logger.level, list(logger.handlers))
    with log_on_stderr():
        logger.debug("inside")
    logger.debug("outside")
    assert (logger.level, logger.handlers) == before
    assert capfd.readouterr().err == "runtime: inside\n"
