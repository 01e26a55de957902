"""Imported by every Python of the emulated Raspberry Pi: starts a process again that PRoot lost.

PRoot reads and writes the path of a new program in the memory of the process that starts it.
Under QEMU, on a busy machine, this fails in 1 of 100 starts, with vfork and without: EFAULT,
"Bad address". No Linux on a real Pi answers that to a path that is there.
"""

from __future__ import annotations

import errno
import subprocess

_TRIES = 5


class Popen(subprocess.Popen):
    """A process that is tried up to five times."""

    def __init__(self, *arguments, **options):
        for left in reversed(range(_TRIES)):
            vars(self).clear()  # after a failure it would use a closed file again
            try:
                super().__init__(*arguments, **options)
            except OSError as error:
                if error.errno != errno.EFAULT or not left:
                    raise
            else:
                return


subprocess.Popen = Popen
