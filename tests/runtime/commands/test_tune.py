"""``runtime tune`` and ``runtime bench --all`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from runtime.backends import for_suffix

MODEL = Path(__file__).parents[3] / "examples" / "models" / "mnist-cnn.int8.onnx"
NAMES = [backend.name for backend in for_suffix(".onnx")]
SHORT = ("--seconds", 0.05, "--threads", 1, "--batch", "1,4")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of our own."""
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edge-toolkit" / "tuned"


def took_part(record):
    """Return the engines that were timed, the preferred one first."""
    return list(dict.fromkeys(row["backend"] for row in record["one"]))


def test_tune_remembers_and_auto_info_and_show_tell_it(runtime_cli, cache):
    before = json.loads(runtime_cli("info", MODEL, "--json").stdout)
    assert before["tuned"] is None
    result = runtime_cli("tune", MODEL, *SHORT, "--json")
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    (path,) = cache.iterdir()
    assert record["saved"] == str(path)
    assert path.stem == record["sha256"]
    fastest = record["best"]["one_image"]["backend"]
    after = json.loads(runtime_cli("info", MODEL, "--json").stdout)
    assert after["backend"]["name"] == fastest
    assert {row["backend"] for row in after["tuned"]["one"]} <= set(NAMES)
    (shown,) = json.loads(runtime_cli("tune", "--show", "--json").stdout)
    assert shown == after["tuned"]
    assert f"one by one, 1 thread   {fastest}: " in runtime_cli("tune", "--show").stdout
    assert f"tuned        one by one {fastest} with 1 thread" in runtime_cli("info", MODEL).stdout


def test_auto_takes_another_engine_when_the_record_says_so(runtime_cli, cache, digit_files):
    assert runtime_cli("tune", MODEL, *SHORT, "-q").exit_code == 0
    (path,) = cache.iterdir()
    record = json.loads(path.read_text())
    for name in took_part(record):
        for row in (*record["one"], *record["many"]):
            row["load_ms"] = row["image_ms"] = 1.0 if row["backend"] == name else 99.0
        path.write_text(json.dumps(record))
        result = runtime_cli("predict", MODEL, digit_files[0], "--json")
        assert json.loads(result.stdout)["backend"] == name


def test_predict_takes_the_engine_that_is_worth_its_loading_for_so_many(
    runtime_cli, cache, digit_files, tmp_path
):
    assert runtime_cli("tune", MODEL, *SHORT, "-q").exit_code == 0
    (path,) = cache.iterdir()
    record = json.loads(path.read_text())
    engines = took_part(record)
    if len(engines) < 2:
        pytest.skip("two engines for .onnx files are needed")
    quick, slow = engines[:2]
    for row in (*record["one"], *record["many"]):
        row["load_ms"], row["image_ms"] = (5.0, 2.0) if row["backend"] == quick else (6.0, 1.0)
    path.write_text(json.dumps(record))
    images = tmp_path / "images.npy"
    for count, name in ((1, quick), (19, quick), (25, slow), (60, slow)):
        np.save(images, np.zeros((count, 28, 28), np.uint8))
        result = runtime_cli("predict", MODEL, images, "--threads", 1, "--json")
        assert result.exit_code == 0, result.stderr
        used = [json.loads(line)["backend"] for line in result.stdout.splitlines()]
        assert used == [name] * count
    shared = runtime_cli("predict", MODEL, images, "--threads", 4, "--json")  # 15 each
    assert json.loads(shared.stdout.splitlines()[0])["backend"] == quick
    shown = runtime_cli("tune", "--show").stdout
    assert f"predict, 1 image       {quick}: 2.0000 ms per image, load 5 ms" in shown
    assert f"predict, from 2        {quick}: " in shown
    assert f"predict, from 22       {slow}: 1.0000 ms per image, load 6 ms" in shown
    assert "no longer used" not in shown
    assert max(map(len, shown.splitlines()[1:])) <= 80  # the first line is the path


def test_what_was_tuned_for_threads_is_used_by_predict(runtime_cli, cache, digit_files):
    assert runtime_cli("tune", MODEL, "--seconds", 0.05, "--threads", 2, "-q").exit_code == 0
    (path,) = cache.iterdir()
    record = json.loads(path.read_text())
    for name in took_part(record):
        for row in (*record["one"], *record["many"]):
            row["load_ms"] = row["image_ms"] = 1.0 if row["backend"] == name else 99.0
        path.write_text(json.dumps(record))
        for options in ((), ("--threads", 2)):
            result = runtime_cli("predict", MODEL, digit_files[0], "--json", *options)
            assert json.loads(result.stdout)["backend"] == name


def test_clear_forgets(runtime_cli, cache):
    runtime_cli("tune", MODEL, *SHORT, "-q")
    assert runtime_cli("tune", "--clear").stdout == "1 record removed\n"
    assert list(cache.iterdir()) == []
    assert runtime_cli("tune", "--show").stdout == "no records\n"
    assert json.loads(runtime_cli("tune", "--clear", "--json").stdout) == {"cleared": 0}


def test_a_cache_that_cannot_be_written_is_reported_before_anything_is_measured(
    runtime_cli, tmp_path, monkeypatch
):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr("runtime.benchmark.ranking.rank", lambda *_: pytest.fail("it measured"))
    result = runtime_cli("tune", MODEL)
    assert result.exit_code == 2
    assert str(blocked) in result.stderr
    assert runtime_cli("info", MODEL).exit_code == 0


@pytest.mark.parametrize(
    "arguments", [(), (MODEL, "--show"), ("--show", "--clear"), (MODEL, "--clear")]
)
def test_tune_does_one_thing_at_a_time(runtime_cli, arguments):
    result = runtime_cli("tune", *arguments)
    assert result.exit_code == 2
    assert "runtime tune MODEL" in result.stderr


def test_bench_all_ranks_the_engines_and_remembers_nothing(runtime_cli, cache):
    result = runtime_cli("bench", MODEL, "--all", *SHORT)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert max(map(len, lines[1:])) <= 80  # the first line is the path
    for name in NAMES:
        assert any(line.startswith(name) for line in lines)
    assert f"Next: runtime tune {MODEL}" in result.stderr
    assert not cache.exists()


def test_bench_all_as_json_is_one_object(runtime_cli):
    record = json.loads(runtime_cli("bench", MODEL, "--all", *SHORT, "--json", "-q").stdout)
    assert record["host"]["cores"] >= 1
    assert {row["batch"] for row in record["ranking"]} == {1, 4}
    assert set(record["best"]) == {"one_image", "many_images"}
    assert [one["name"] for one in record["engines"]] == NAMES


@pytest.mark.parametrize(
    "wrong",
    [("--backend", "onnxruntime"), ("--device", "gpu"), ("--image", MODEL)],
)
def test_bench_all_refuses_what_picks_one(runtime_cli, wrong):
    result = runtime_cli("bench", MODEL, "--all", *wrong)
    assert result.exit_code == 2
    assert "leave out --backend, --device" in result.stderr
