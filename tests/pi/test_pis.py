"""What types a command at an emulated Pi."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest
from pis import CASES, Pi

LOST = CompletedProcess([], 1, "", "OSError: [Errno 14] Bad address: '/usr/bin/python3'")
FAILED = CompletedProcess([], 1, "", "Error: no such file")
DONE = CompletedProcess([], 0, "4", "")


@pytest.mark.parametrize(
    ("given", "kept"),
    [([LOST, DONE], DONE), ([LOST, LOST, LOST, DONE], LOST), ([FAILED, DONE], FAILED)],
)
def test_only_what_proot_lost_is_typed_again_and_not_for_ever(given, kept):
    answers = iter(given)
    userland = SimpleNamespace(run=lambda *_words, **_options: next(answers))
    here = Path(__file__).parent
    assert Pi(CASES[0], userland, here, here).type("runtime", "doctor") is kept
