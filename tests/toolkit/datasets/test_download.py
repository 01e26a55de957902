"""Downloads, from a server on this machine."""

import hashlib
import http.server
import threading

import pytest

from runtime.errors import DataError
from toolkit.datasets import DataOptions, load_dataset
from toolkit.datasets._download import Download, fetch, keras_cache
from toolkit.datasets.mnist import Mnist
from toolkit.progress import SILENT

CONTENT = bytes(range(256)) * 1024


class Server(http.server.ThreadingHTTPServer):
    """Sends CONTENT; can break off after some bytes, and can ignore ranges."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges = []
        self.break_after = None
        self.ignore_range = False

    def item(self, **changes):
        defaults = {
            "url": f"http://127.0.0.1:{self.server_port}/data.bin",
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
            "path": "sub/data.bin",
        }
        return Download(**(defaults | changes))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.path != "/data.bin":
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if self.server.ignore_range:
            start = 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.break_after])

    def log_message(self, *arguments):
        """Be silent."""


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("EDGE_DATA_DIR", raising=False)
    return tmp_path / "keras" / "datasets"


@pytest.fixture
def part(cache):
    (cache / "sub").mkdir(parents=True)
    return cache / "sub" / "data.bin.part"


def test_the_cache_is_that_of_keras(cache, monkeypatch, tmp_path):
    assert keras_cache() == cache
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert keras_cache() == tmp_path / ".keras" / "datasets"


def test_a_file_is_fetched_once(server, cache):
    path = fetch(server.item(), "mnist", SILENT)
    assert path == cache / "sub" / "data.bin"
    assert path.read_bytes() == CONTENT
    assert fetch(server.item(), "mnist", SILENT) == path
    assert server.ranges == [None]
    assert [p.name for p in path.parent.iterdir()] == ["data.bin"]


def test_a_part_is_resumed(server, part):
    part.write_bytes(CONTENT[:1000])
    assert fetch(server.item(), "mnist", SILENT).read_bytes() == CONTENT
    assert server.ranges == ["bytes=1000-"]
    assert not part.exists()


def test_a_server_without_ranges_sends_all_again(server, part):
    server.ignore_range = True
    part.write_bytes(CONTENT[:1000])
    assert fetch(server.item(), "mnist", SILENT).read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_taken(server, part):
    part.write_bytes(CONTENT)
    assert fetch(server.item(), "mnist", SILENT).read_bytes() == CONTENT


def test_a_broken_transfer_keeps_the_part_and_the_next_one_goes_on(server, part):
    server.break_after = 100_000
    with pytest.raises(DataError, match="cannot download mnist"):
        fetch(server.item(), "mnist", SILENT)
    assert part.stat().st_size == 100_000
    server.break_after = None
    assert fetch(server.item(), "mnist", SILENT).read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=100000-"


def test_wrong_bytes_are_refused_and_removed(server, cache):
    with pytest.raises(DataError, match="SHA-256 differs"):
        fetch(server.item(sha256="0" * 64), "mnist", SILENT)
    assert not list((cache / "sub").iterdir())


def test_a_damaged_part_does_not_block_the_next_try(server, part):
    part.write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="SHA-256 differs"):
        fetch(server.item(), "mnist", SILENT)
    assert fetch(server.item(), "mnist", SILENT).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_fetched_again(server, part):
    part.with_suffix("").write_bytes(b"damaged")
    assert fetch(server.item(), "mnist", SILENT).read_bytes() == CONTENT


def test_a_missing_file_names_the_ways_out(server):
    item = server.item(url=f"http://127.0.0.1:{server.server_port}/nothing")
    with pytest.raises(DataError, match=r"cannot download mnist .*--dataset digits.*--data PATH"):
        fetch(item, "mnist", SILENT)


def test_no_network_names_the_ways_out(server, monkeypatch):
    address = f"http://127.0.0.1:{server.server_port}/data.bin"
    server.shutdown()
    server.server_close()
    monkeypatch.setattr(Mnist, "downloads", (Download(address, "0" * 64, "mnist.npz"),))
    with pytest.raises(DataError, match=r"--dataset digits.*--data PATH") as raised:
        load_dataset(DataOptions(name="mnist"))
    assert "\n" not in str(raised.value)


def test_progress_counts_bytes(server, part):
    part.write_bytes(CONTENT[:5000])
    totals, steps = [], []

    class Recorder(type(SILENT)):
        def task(self, title, total):
            totals.append((title, total))
            return _Tick(steps)

    fetch(server.item(), "mnist", Recorder())
    assert totals == [("download", len(CONTENT))]
    assert sum(steps) == len(CONTENT)


class _Tick:
    def __init__(self, steps):
        self.steps = steps

    def __enter__(self):
        return self.steps.append

    def __exit__(self, *error):
        return None
