"""Which engine is the fastest, and who may compete."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from runtime.backends import for_suffix
from runtime.backends import preferred as tuned
from runtime.benchmark import candidates as module
from runtime.benchmark.candidates import Candidate, find_candidates
from runtime.benchmark.latency import Latency
from runtime.benchmark.ranking import Ranked, Ranking, RankOptions, rank
from runtime.commands._ranking_text import text
from runtime.errors import BackendError, InputError
from runtime.host import host
from runtime.modelfile import artifact as artifacts
from runtime.workers.probe import Probe

SHORT = RankOptions(threads=(1,), batches=(1, 4), seconds=0.02)


@pytest.fixture
def make_ranking(onnx_file):
    """Build a ranking from (backend, threads, batch, milliseconds of a call)."""

    def build(*rows, preferred="litert"):
        found = [
            Ranked(name, threads, size, Latency(2 * ms, ms, None, None, ms, 9))
            for name, threads, size, ms in rows
        ]
        found.sort(key=lambda row: row.image_ms)
        names = dict.fromkeys([preferred, *(row.backend for row in found)])
        engines = tuple(Candidate(name, "1.0", "", 100.0, 60.0) for name in names)
        file = artifacts.read(onnx_file)
        now = "2026-11-24T12:00:00+00:00"
        return Ranking(file, host(), engines, tuple(found), 0.5, now)

    return build


def test_every_engine_that_runs_the_file_is_ranked_with_each_batch(onnx_file):
    found = rank(onnx_file, SHORT)
    names = [backend.name for backend in for_suffix(".onnx") if backend.installed()]
    assert [one.name for one in found.engines if not one.refusal] == names
    assert {(row.backend, row.batch) for row in found.rows} == {
        (name, size) for name in names for size in (1, 4)
    }
    times = [row.image_ms for row in found.rows]
    assert times == sorted(times)
    assert min(times) > 0
    assert all(one.load_ms and one.peak_rss_mb for one in found.engines if not one.refusal)


def test_one_image_is_always_tried_and_threads_default_to_one_and_all_cores(onnx_file):
    found = rank(onnx_file, RankOptions(batches=(4,), seconds=0.01))
    assert {row.batch for row in found.rows} == {1, 4}
    assert {row.threads for row in found.rows} == {1, host().cores}


def test_the_json_and_the_text_tell_the_best(make_ranking):
    found = make_ranking(("litert", 1, 1, 0.3), ("openvino", 1, 1, 0.2), ("openvino", 1, 8, 0.8))
    record = json.loads(json.dumps(found.to_json()))
    assert [row["image_ms"] for row in record["ranking"]] == [0.1, 0.2, 0.3]
    assert record["ranking"][0]["median_image_ms"] == 0.2
    assert record["best"]["one_image"]["backend"] == "openvino"
    assert record["best"]["many_images"]["batch"] == 8
    lines = text(found).splitlines()
    assert max(map(len, lines[1:])) <= 80  # the first line is the path
    assert lines[-1] == "Many images: openvino, 1 thread, batch 8: 0.1000 ms per image"


def test_a_long_name_of_a_processor_is_wrapped(make_ranking):
    found = make_ranking(("litert", 1, 1, 0.3))
    found = replace(found, machine=replace(found.machine, cpu="A Processor of Many Words " * 5))
    assert max(map(len, text(found).splitlines()[1:])) <= 80


def test_the_preferred_engine_stays_where_another_gains_less_than_three_percent(make_ranking):
    near = make_ranking(("litert", 1, 1, 0.204), ("openvino", 1, 1, 0.200))
    assert near.best(many=False).backend == "litert"
    far = make_ranking(("litert", 1, 1, 0.208), ("openvino", 1, 1, 0.200))
    assert far.best(many=False).backend == "openvino"


def test_what_is_remembered_is_the_best_of_each_engine_by_threads(make_ranking):
    found = make_ranking(
        ("litert", 1, 1, 0.3),
        ("openvino", 1, 1, 0.2),
        ("litert", 2, 1, 0.1),
        ("openvino", 2, 1, 0.15),
        ("openvino", 2, 8, 0.4),
    )
    record = found.to_tuned()
    assert [(one.threads, one.backend, one.image_ms) for one in record.one] == [
        (1, "litert", 0.3),
        (1, "openvino", 0.2),
        (2, "litert", 0.1),
        (2, "openvino", 0.15),
    ]
    assert [(one.batch, one.image_ms) for one in record.many][2:] == [(1, 0.1), (8, 0.05)]
    assert {one.load_ms for one in record.many} == {100.0}
    assert record.sha256 == found.file.sha256
    assert record.cpu == tuned.cpu()
    assert list(record.engines) == [backend.name for backend in for_suffix(".onnx")]


def pretend(monkeypatch, **answers):
    """Let the processes in which engines are tried end as told; others answer ``right``."""
    right = Probe(probabilities=(0.1, 0.9), load_ms=1.0, peak_mb=1.0)
    monkeypatch.setattr(module, "probe", lambda _, name, __: answers.get(name, right))
    for backend in for_suffix(".onnx"):
        monkeypatch.setattr(backend, "installed", classmethod(lambda _: True))


@pytest.fixture
def bare(onnx_file):
    """A file without a self-test in it."""
    return replace(artifacts.read(onnx_file), manifest=None)


def test_an_engine_that_dies_or_is_missing_does_not_take_part(bare, monkeypatch):
    pretend(monkeypatch, openvino=Probe(error="the process ended with code -4"))
    monkeypatch.setattr(for_suffix(".onnx")[0], "installed", classmethod(lambda _: False))
    refusals = {one.name: one.refusal for one in find_candidates(bare)}
    assert refusals["onnxruntime"] == "not installed"
    assert refusals["openvino"] == "the process ended with code -4"


def test_an_engine_that_answers_otherwise_does_not_take_part(bare, monkeypatch):
    pretend(monkeypatch, openvino=Probe(probabilities=(0.6, 0.4)))
    refusals = {one.name: one.refusal for one in find_candidates(bare)}
    assert refusals["onnxruntime"] == ""
    assert (
        refusals["openvino"]
        == "its output for a grey image differs by 0.50 from the first engine's"
    )


def test_an_engine_that_fails_the_self_test_of_the_file_does_not_take_part(onnx_file, monkeypatch):
    file = artifacts.read(onnx_file)
    if not file.manifest.golden:
        pytest.skip("the example has no golden inputs")
    last = for_suffix(".onnx")[-1]
    if not last.installed():
        pytest.skip(f"{last.package} is not installed")
    real = last._run
    monkeypatch.setattr(last, "_run", lambda self, batch: np.roll(real(self, batch), 1, axis=1))
    refusals = {one.name: one.refusal for one in find_candidates(file)}
    assert refusals[last.name].startswith("it fails the self-test: ")
    assert refusals["onnxruntime"] == ""


def test_no_engine_at_all_is_an_error_that_says_why(onnx_file, monkeypatch):
    for backend in for_suffix(".onnx"):
        monkeypatch.setattr(backend, "installed", classmethod(lambda _: False))
    with pytest.raises(BackendError, match=r"onnxruntime: not installed; .*runtime doctor"):
        rank(onnx_file, SHORT)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_seconds_must_be_a_time(seconds):
    with pytest.raises(InputError, match="--seconds must be above 0"):
        RankOptions(seconds=seconds)


@pytest.mark.parametrize("wrong", [{"threads": (0,)}, {"batches": (1, 0)}])
def test_numbers_are_from_one_up(wrong):
    with pytest.raises(InputError, match="numbers from 1 up"):
        RankOptions(**wrong)
