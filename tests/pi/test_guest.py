"""What every Python of the emulated Raspberry Pi imports."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

GUEST = Path(__file__).parent / "guest"
START = """
import subprocess

real, fails = subprocess.Popen._execute_child, {fails}

def fail_first(self, *arguments, **options):
    global fails
    fails -= 1
    if fails >= 0:
        raise OSError({error}, "made up")
    real(self, *arguments, **options)

subprocess.Popen._execute_child = fail_first
import sitecustomize
print(subprocess.run(["echo", "started"], stdout=-1, stderr=subprocess.DEVNULL, text=True).stdout)
"""


@pytest.mark.parametrize(
    ("error", "fails", "started"),
    [(errno.EFAULT, 4, True), (errno.EFAULT, 5, False), (errno.ENOENT, 1, False)],
)
def test_a_process_that_proot_lost_is_started_again(error, fails, started):
    code = START.format(error=error, fails=fails)
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(GUEST), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("started" in done.stdout) == started
    assert ("made up" in done.stderr) == (not started)
