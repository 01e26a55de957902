"""Where the userland cannot be built, one line says why, and nothing is left behind."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
import userland
import wheels
from debian import NotAvailableError, debian_mirror


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of its own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("EDGE_PI_CACHE", str(folder))
    return folder


@pytest.fixture
def apt_sources(tmp_path, monkeypatch):
    """Let apt read the sources that a test writes, and no others."""
    sources, settings = tmp_path / "sources.list", tmp_path / "apt.conf"
    settings.write_text(
        f'Dir::Etc::sourcelist "{sources}"; Dir::Etc::sourceparts "-"; Acquire::Retries "0";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(settings))
    return sources


def test_another_processor_is_named_as_the_reason(cache, monkeypatch):
    monkeypatch.setattr(userland.platform, "machine", lambda: "aarch64")
    with pytest.raises(NotAvailableError, match="needs Linux on x86-64"):
        userland.build("bookworm")
    assert not cache.exists()


def test_a_machine_without_apt_is_told_what_is_missing(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotAvailableError, match="needs apt-get"):
        userland.build("trixie")


def test_a_folder_with_a_space_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGE_PI_CACHE", str(tmp_path / "my cache"))
    with pytest.raises(NotAvailableError, match="set EDGE_PI_CACHE to another one"):
        userland.build("trixie")


def test_sources_without_a_debian_archive_are_told(apt_sources):
    apt_sources.write_text("deb http://localhost/ubuntu noble main\n")
    with pytest.raises(NotAvailableError, match="no Debian archive"):
        debian_mirror()


def test_the_release_itself_is_read_and_not_its_updates(apt_sources):
    apt_sources.write_text(
        "deb http://localhost/debian-security bookworm-security main\n"
        "deb http://localhost/debian bookworm-updates main\n"
        "deb http://localhost/debian bookworm main\n"
    )
    mirror = debian_mirror()
    assert (mirror.address, mirror.suite) == ("http://localhost/debian/", "bookworm")


def test_an_archive_that_does_not_answer_leaves_nothing_behind(cache, apt_sources):
    apt_sources.write_text("deb http://localhost:9/debian bookworm main\n")
    with pytest.raises(NotAvailableError, match=re.compile("apt-get failed.*localhost")):
        userland.build("bookworm")
    assert [path.name for path in cache.iterdir()] == [".bookworm.lock"]


def test_other_pins_are_another_userland(monkeypatch, tmp_path):
    suite = userland.SUITES["trixie"]
    before = userland._key(suite)
    pins = (wheels.ROOT / "constraints.txt").read_text()
    changed = re.sub("(?m)^onnxruntime==.*", "onnxruntime==1.27.0", pins)
    (tmp_path / "constraints.txt").write_text(changed)
    monkeypatch.setattr(wheels, "ROOT", tmp_path)
    assert userland._key(suite) != before


def test_what_is_in_the_cache_is_not_built_again(cache, monkeypatch, tmp_path):
    suite = userland.SUITES["bookworm"]
    folder = cache / f"bookworm-{userland._key(suite)}"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert userland.build("bookworm").folder == folder


def test_the_mirrors_are_written_down_nowhere():
    sources = [path.read_text() for path in (userland.ROOT / "tests" / "pi").glob("*.py")]
    addresses = re.findall(r"https?://[\w.:-]+", "".join(sources))
    assert {address.split("//")[1].split(":")[0] for address in addresses} <= {"localhost"}


def test_the_command_names_the_processor_and_drops_the_environment(tmp_path):
    built = userland.Userland(tmp_path, userland.SUITES["bookworm"])
    command = built.command("cortex-a72", ["python3"], environment={"ANSWER": "42"})
    assert f"{tmp_path}/tools/qemu-aarch64 -cpu cortex-a72" in command
    inside = command[command.index("/usr/bin/env") :]
    assert inside[:2] == ["/usr/bin/env", "-i"]
    assert inside[-2:] == ["ANSWER=42", "python3"]


def test_the_end_of_one_command_takes_no_folder_from_another(tmp_path):
    built = userland.Userland(tmp_path, userland.SUITES["bookworm"])
    outside = str(tmp_path / "models")
    command = built.command("cortex-a72", ["python3"], binds={"/home/pi/models": outside})
    assert f"{outside}:/home/pi/models" in command
    assert (built.root / "home" / "pi" / "models").is_dir()  # else PRoot makes and removes it


def test_what_takes_too_long_is_ended_with_all_it_started(tmp_path, monkeypatch):
    built = userland.Userland(tmp_path, userland.SUITES["bookworm"])
    started = tmp_path / "started"
    script = f"sleep 60 & echo $! > {started}; wait"
    monkeypatch.setattr(
        userland.Userland, "command", lambda self, cpu, words, **options: ["sh", "-c", script]
    )
    with pytest.raises(subprocess.TimeoutExpired):
        built.run("cortex-a72", ["sleep"], timeout=1)
    child = int(started.read_text())
    for _ in range(100):  # the signal takes its time on a busy machine
        if not runs(child):
            return
        time.sleep(0.1)
    pytest.fail("sleep still runs")


def runs(process):
    try:
        return "(zombie)" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
