"""What is remembered of the fastest engines, and when it is not believed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime.backends import BackendOptions, for_suffix
from runtime.backends import preferred as tuned
from runtime.backends.preferred import Choice, Tuned
from runtime.errors import BackendError, InputError
from runtime.modelfile import artifact as artifacts
from runtime.workers.opening import open_backend, preferred_backend, tuned_for

MODEL = Path(__file__).parents[3] / "examples" / "models" / "mnist-cnn.int8.onnx"
ENGINES = for_suffix(".onnx")


def versions():
    return {one.name: one.distributions() for one in ENGINES}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of our own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edge-toolkit" / "tuned"


@pytest.fixture
def file():
    return artifacts.read(MODEL)


@pytest.fixture
def record(file):
    """A record that holds here and now, and prefers the second engine with one thread."""
    if not all(backend.installed() for backend in ENGINES[:2]):
        pytest.skip("two engines for .onnx files are needed")
    first, second = (backend.name for backend in ENGINES[:2])
    one = (
        Choice(first, 1, 1, 0.3, 50.0),
        Choice(second, 1, 1, 0.2, 150.0),
        Choice(first, 2, 1, 0.1, 50.0),
    )
    many = (Choice(first, 1, 8, 0.25, 50.0), Choice(second, 1, 8, 0.15, 150.0))
    now = "2026-11-24T12:00:00+00:00"
    return Tuned(str(MODEL), file.sha256, tuned.cpu(), versions(), now, one, many)


def test_auto_takes_the_engine_that_was_the_fastest_with_so_many_threads(file, record):
    preferred, second = (backend.name for backend in ENGINES[:2])
    with open_backend(file, "auto", BackendOptions()) as engine:
        assert engine.name == preferred
    tuned.save(record)
    assert tuned_for(file) == record
    with open_backend(file, "auto", BackendOptions()) as engine:
        assert engine.name == second
    with open_backend(file, "auto", BackendOptions(threads=2)) as engine:
        assert engine.name == preferred
    with open_backend(file, preferred, BackendOptions()) as engine:
        assert engine.name == preferred


@pytest.mark.parametrize(("images", "place"), [(1, 0), (1000, 0), (1500, 1), (10**6, 1)])
def test_auto_takes_an_engine_that_gains_its_loading_back(file, record, images, place):
    tuned.save(record)
    for threads in (1, 2):  # many images take engines of one thread, and one has two below
        found = preferred_backend(file, "auto", BackendOptions(threads=threads), lambda: images)
        assert found == ENGINES[place].name


def test_the_best_is_that_of_the_same_or_the_next_lower_number_of_threads(record):
    assert record.best() == record.one[1]
    assert record.best(2) == record.one[2]
    assert record.best(8) == record.one[2]
    assert replace(record, one=record.one[2:]).best(1) == record.one[2]  # the lowest there is
    assert replace(record, one=()).best() is None
    assert replace(record, many=()).best(1, 9) is None
    assert replace(record, many=()).by_number() == []


def test_the_preferred_engine_stays_where_another_gains_less_than_three_percent(record):
    near = (Choice("a", 1, 1, 1.02, 10.0), Choice("b", 1, 1, 1.0, 10.0))
    assert replace(record, one=near, many=near).best().backend == "a"
    assert replace(record, many=near).by_number() == [(2, near[0])]


TIMES = st.floats(0.001, 1000.0)


@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=4), st.integers(2, 10**7))
def test_the_numbers_say_which_engine_is_taken(times, images):
    rows = tuple(Choice(str(i), 1, 1, ms, load) for i, (ms, load) in enumerate(times))
    record = Tuned("", "", "", {}, "", rows, rows)
    taken = record.best(1, images)
    stated = [choice for number, choice in record.by_number() if number <= images][-1]
    assert taken == stated
    assert taken.total_ms(images) <= 1.03 * min(row.total_ms(images) for row in rows) + 20.0


def test_a_file_that_was_changed_or_removed_makes_its_record_stale(record, tmp_path):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(MODEL.read_bytes())
    moved = replace(record, file=str(copy))
    assert not tuned.is_stale(moved)
    copy.write_bytes(b"another one")
    assert tuned.is_stale(moved)
    copy.unlink()
    assert tuned.is_stale(moved)


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "another processor"},
        {"sha256": "0" * 64},
        {"engines": {}},
        {"engines": {backend.name: "1.0" for backend in ENGINES}},
    ],
    ids=["processor", "file", "no engines", "other versions"],
)
def test_a_record_of_another_machine_file_or_version_is_not_used(file, record, cache, change):
    path = tuned.save(record)
    wrong = replace(record, **change)
    path.write_text(json.dumps(wrong.to_json()))
    assert path == cache / f"{file.sha256}.json"
    assert tuned_for(file) is None


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"schema_version": 3}',
        b'{"schema_version": 2}',
        b'{"schema_version": 2, "one": 3, "many": []}',
        b'{"schema_version": 2, "one": [3], "many": []}',
        b'{"schema_version": 2, "one": [{"backend": "x"}], "many": []}',
    ],
)
def test_a_damaged_record_counts_as_none(file, record, damage):
    tuned.save(record).write_bytes(damage)
    assert tuned_for(file) is None
    assert tuned.saved() == ()
    with open_backend(file, "auto", BackendOptions()) as engine:
        assert engine.name == ENGINES[0].name


@pytest.mark.parametrize("field", ["threads", "image_ms", "load_ms"])
@pytest.mark.parametrize("value", ["fast", float("inf"), float("nan"), -1, None])
def test_a_record_with_a_senseless_number_counts_as_none(file, record, field, value):
    damaged = record.to_json()
    damaged["one"][0][field] = value
    tuned.save(record).write_text(json.dumps(damaged))
    assert tuned_for(file) is None


def test_a_remembered_engine_that_no_longer_opens_the_file_is_passed_over(
    file, record, monkeypatch
):
    tuned.save(record)

    def refuse(*_):
        raise BackendError("broken since then")

    monkeypatch.setattr(ENGINES[1], "_open", refuse)
    with open_backend(file, "auto", BackendOptions()) as engine:
        assert engine.name == ENGINES[0].name


def test_a_record_that_cannot_be_read_counts_as_none(file, record):
    path = tuned.save(record)
    path.unlink()
    path.mkdir()
    assert tuned_for(file) is None


def test_a_cache_that_is_no_folder_or_without_a_home_breaks_nothing(file, cache, monkeypatch):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file")
    assert tuned_for(file) is None
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/nowhere/at/all")
    assert tuned_for(file) is None


def test_a_cache_that_is_named_by_a_relative_path_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tuned.folder() == tmp_path / ".cache" / "edge-toolkit" / "tuned"


def test_all_is_shown_newest_first_and_cleared(record):
    older = replace(record, sha256="1" * 64, tuned_at="2025-01-01T00:00:00+00:00")
    tuned.save(older)
    tuned.save(record)
    assert tuned.saved() == (record, older)
    assert tuned.clear() == 2
    assert tuned.saved() == ()
    assert tuned.clear() == 0


def test_versions_are_those_of_the_installed_distributions():
    for backend in ENGINES:
        found = backend.distributions()
        assert bool(found) == backend.installed()
        if found:
            assert f"-{backend.version()}" in found


def test_a_look_into_the_cache_imports_nothing_heavy(record):
    tuned.save(record)
    code = f"""
import sys
from runtime.modelfile import artifact
from runtime.workers.opening import tuned_for
file = artifact.read({str(MODEL)!r})
before = set(sys.modules)
assert tuned_for(file) is not None
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(MODEL.parents[2])},
    )
    loaded = eval(done.stdout)  # noqa: S307 - our own list
    assert {name.split(".")[0] for name in loaded} <= {"runtime"}


def test_images_must_be_a_number_from_0_up():
    with pytest.raises(InputError, match="at least 0"):
        runtime.load(MODEL, images=-1)


@pytest.mark.parametrize(("images", "place"), [(1, 0), (10**6, 1)])
def test_load_takes_the_engine_for_so_many_images(record, images, place):
    tuned.save(record)
    with runtime.load(MODEL, images=images) as classifier:
        assert classifier.backend.name == ENGINES[place].name
