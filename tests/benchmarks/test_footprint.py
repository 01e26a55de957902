"""The footprint table: what is counted, how it is printed, and one engine for real."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def load(monkeypatch):
    """Import a script of this folder, as it would be run."""
    monkeypatch.syspath_prepend(HERE)

    def load(name):
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def environments(load):
    return load("environments")


@pytest.fixture
def arm64(environments, load):
    return load("arm64")


@pytest.fixture
def footprint(arm64, load):
    return load("footprint")


@pytest.fixture
def site(tmp_path):
    """A site-packages with one package of 300 bytes, and what pip brings of its own."""
    for name, size in (
        ("engine/__init__.py", 100),
        ("engine/lib/engine.so", 150),
        ("engine-1.0.dist-info/METADATA", 40),
        ("single.py", 10),
        ("pip/__init__.py", 1000),
        ("pip-24.0.dist-info/METADATA", 1000),
        ("setuptools-70.dist-info/METADATA", 1000),
        ("_distutils_hack/__init__.py", 1000),
        ("distutils-precedence.pth", 1000),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "engine" / "link.so").symlink_to(tmp_path / "engine" / "lib" / "engine.so")
    return tmp_path


def test_files_are_added_up_without_links_and_without_pip(environments, site):
    assert environments.disk_bytes(site) == 300


def test_packages_are_counted_without_pip(environments, site):
    assert environments.package_count(site) == 1
    (site / "pipeline-1.0.dist-info").mkdir()
    assert environments.package_count(site) == 2


def test_the_first_turn_is_not_counted(footprint):
    turns = iter([90.0, 1.0, 5.0, 3.0])
    assert footprint.medians(3, lambda: {"load_ms": next(turns)}) == {"load_ms": 3.0}


def test_the_table_fits_a_terminal_and_is_markdown(footprint):
    rows = [
        footprint.Footprint("ai-edge-litert 2.3.0", 163.2, 11, 0.17, 26, 0.6, 0.36, 62),
        footprint.Footprint("tflite-runtime 2.14.0", 2154.0, 32, 1.99, 2041, 68.7, 2.92, 642),
    ]
    lines = footprint.table(rows).splitlines()
    assert len(set(map(len, lines))) == 1
    assert len(lines[0]) <= 80
    assert lines[1].count(":|") == len(footprint.COLUMNS)
    assert "2,154|" in lines[3]
    assert {line.count("|") for line in lines} == {len(footprint.COLUMNS) + 2}


def test_the_table_of_sizes_says_where_there_is_no_wheel(arm64):
    rows = [
        arm64.Size("tflite-runtime", "bookworm", 94.6, 5),
        arm64.Size("tensorflow", "bookworm", 1606.2, 32),
        arm64.Size("tensorflow", "trixie", 1608.0, 32),
    ]
    lines = arm64.table(rows).splitlines()
    assert len(set(map(len, lines))) == 1
    assert len(lines[0]) <= 80
    assert "95 MB, 5 pkgs" in lines[2]
    assert "no wheel" in lines[2]
    assert "1,608 MB" in lines[3]


def test_what_fails_is_left_out_and_its_folder_removed(footprint, monkeypatch, capsys):
    from runtime.errors import BackendError
    from runtime.terminal.cli import Output

    monkeypatch.setattr(footprint, "build_wheel", lambda folder: folder / "none.whl")
    folders = []

    def fails(wheel, place):
        place.mkdir()
        folders.append(place)
        raise BackendError("no wheel for it")

    rows = footprint.measure({"bad": fails, "good": lambda wheel, place: 1}, Output())
    assert rows == [1]
    assert not folders[0].exists()
    assert "bad is left out: no wheel for it" in capsys.readouterr().err
    with pytest.raises(BackendError, match="nothing could be measured"):
        footprint.measure({"bad": fails}, Output())


def test_a_process_that_fails_is_told_in_one_line(environments, tmp_path):
    environment = environments.Environment(tmp_path)
    (tmp_path / "bin").mkdir()
    environment.python.symlink_to(sys.executable)
    with pytest.raises(environments.BackendError, match="no such thing") as caught:
        environment.run("-c", "raise SystemExit('no such thing')")
    assert "\n" not in str(caught.value)


def test_the_peak_is_that_of_the_script(environments, tmp_path):
    environment = environments.Environment(tmp_path)
    (tmp_path / "bin").mkdir()
    environment.python.symlink_to(sys.executable)
    (tmp_path / "small.py").write_text("")
    (tmp_path / "large.py").write_text("b'x' * 100_000_000")
    small = environment.peak_mb(tmp_path / "small.py")
    large = environment.peak_mb(tmp_path / "large.py")
    assert 95 < large - small < 110


def test_every_engine_and_tensorflow_can_be_asked_for(footprint):
    from runtime.backends import registry

    (option,) = (o for o in footprint.command.params if o.name == "engines")
    assert set(option.type.choices) == {*registry(), "tensorflow"}


def test_keras_reads_the_digit_that_is_compared(footprint):
    pytest.importorskip("tensorflow", reason="the workstation side is not installed")
    command = [sys.executable, footprint.SCRIPT, footprint.MODELS / "mnist-cnn.keras"]
    done = subprocess.run([*command, footprint.IMAGE], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["label"] == footprint.DIGIT
    assert answer["load_ms"] > answer["first_ms"] > 0


@pytest.mark.slow
def test_litert_is_measured_in_an_environment_of_its_own():
    command = [sys.executable, HERE / "footprint.py", "--engine", "litert", "--runs", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No matching distribution" in done.stderr or "onnection" in done.stderr:
        pytest.skip(f"the package index cannot be reached: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["footprints"]
    assert row["name"].startswith("ai-edge-litert ")
    assert 30 < row["disk_mb"] < 400
    assert 4 <= row["packages"] < 20
    assert 20 < row["peak_mb"] < 200
    assert min(row[name] for name in ("import_s", "load_ms", "first_ms", "whole_s")) > 0
