"""Atomic writing of files: a reader gets the old content or all of the new one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary file beside ``path``, flush it to disk, then rename it.

    On any failure (a full disk, Ctrl-C) the temporary file is removed and the file at
    ``path`` is unchanged.

    Args:
        path: the file; missing folders are created.
        data: its content.

    Raises:
        OSError: the folder cannot be written, or the disk is full.

    Example:
        >>> write_atomically(Path("models/a.bin"), b"12")
        >>> Path("models/a.bin").read_bytes()
        b'12'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
