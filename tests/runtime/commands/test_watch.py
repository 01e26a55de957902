"""A watched folder: in a process as a service runs it, and rule by rule."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from runtime.commands._watch import WatchOptions, watch
from runtime.errors import InputError

FAST = WatchOptions(interval=0.02, patience=0.3)


@pytest.fixture
def photo(rng, tmp_path):
    """The bytes of a PNG."""
    path = tmp_path / "photo.png"
    Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(path)
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "inbox"
    path.mkdir()
    return path


def read(path):
    try:
        with Image.open(path) as image:
            image.load()
            return image.size
    except OSError as error:
        return InputError(str(error))


@contextmanager
def watching(folder, options=FAST):
    """Watch in a thread; gives the list of what was found so far."""
    found, end = [], threading.Event()
    results = watch(folder, read, options)

    def run():
        for path, result in results:
            if end.is_set():
                return
            found.append((path.name, result))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield found
    finally:
        end.set()
        Image.new("L", (1, 1)).save(folder / "end.png")
        thread.join(10)
        assert not thread.is_alive()


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_new_images_are_found_and_old_ones_and_other_files_are_not(folder, photo):
    (folder / "old.png").write_bytes(photo)
    with watching(folder) as found:
        (folder / "notes.txt").write_text("no image")
        (folder / ".hidden.png").write_bytes(photo)
        (folder / "new.png").write_bytes(photo)
        wait_for(lambda: found)
        time.sleep(0.2)
    assert found == [("new.png", (8, 8))]


def test_old_images_count_if_requested(folder, photo):
    (folder / "old.png").write_bytes(photo)
    with watching(folder, WatchOptions(existing=True, interval=0.02)) as found:
        wait_for(lambda: found)
    assert found[0] == ("old.png", (8, 8))


def test_a_file_is_predicted_again_when_it_changes(folder, photo):
    with watching(folder) as found:
        for count in (1, 2):
            (folder / "latest.png").write_bytes(photo)
            wait_for(lambda count=count: len(found) == count)


def test_a_half_written_file_is_waited_for_even_over_a_pause(folder, photo):
    with watching(folder) as found, (folder / "slow.png").open("wb") as file:
        for part in (photo[:40], photo[40:80], photo[80:]):
            file.write(part)
            file.flush()
            time.sleep(0.15)
        wait_for(lambda: found)
    assert found == [("slow.png", (8, 8))]


def test_a_file_that_stays_bad_is_reported_once(folder):
    with watching(folder) as found:
        (folder / "bad.png").write_bytes(b"no image")
        wait_for(lambda: found)
        time.sleep(0.3)
    ((name, error),) = found
    assert name == "bad.png"
    assert isinstance(error, InputError)


def test_a_deleted_file_is_forgotten_and_may_come_again(folder, photo):
    with watching(folder) as found:
        (folder / "a.png").write_bytes(b"half")
        time.sleep(0.1)
        (folder / "a.png").unlink()
        time.sleep(0.5)
        assert found == []
        (folder / "a.png").write_bytes(photo)
        wait_for(lambda: found)
    assert found == [("a.png", (8, 8))]


def test_a_folder_that_is_missing_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"cannot watch .*No such file"):
        watch(tmp_path / "missing", read)


def test_wrong_usage(runtime_cli, tiny, folder):
    for arguments in ([folder, "--watch", folder], [], ["--existing", folder]):
        result = runtime_cli("predict", tiny.path, *arguments)
        assert (result.exit_code, "--watch DIR" in result.stderr) == (2, True)
    missing = runtime_cli("predict", tiny.path, "--watch", folder / "missing")
    assert (missing.exit_code, "no such file or folder" in missing.stderr) == (2, True)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_command_predicts_until_it_is_ended(tiny, folder, photo, sent, code):
    (folder / "old.png").write_bytes(photo)
    command = [sys.executable, "-m", "runtime", "predict", str(tiny.path), "--json"]
    with subprocess.Popen(
        [*command, "--watch", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while b"watching" not in process.stderr.readline():
            assert process.poll() is None
        for name in ("one.png", "two.png"):
            (folder / f".{name}").write_bytes(photo)
            (folder / f".{name}").replace(folder / name)
            record = json.loads(process.stdout.readline())
            assert record["file"] == str(folder / name)
            assert {"label", "confidence", "top"} <= set(record)
        process.send_signal(sent)
        rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, b"Traceback" in errors) == (code, b"", False)
