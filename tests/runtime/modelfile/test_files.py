"""Files are written whole or not at all."""

from __future__ import annotations

import os

import pytest

from runtime.modelfile.files import write_atomically


def test_a_file_is_written_and_replaced_with_the_rights_of_the_umask(tmp_path):
    path = tmp_path / "new" / "folder" / "a.bin"
    before = os.umask(0o027)
    try:
        write_atomically(path, b"one")
        write_atomically(path, b"two")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail(*args):
        raise error

    monkeypatch.setattr(broken, fail)
    with pytest.raises(type(error)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
