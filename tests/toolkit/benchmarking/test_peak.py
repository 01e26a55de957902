"""What a core can do: measured in the engines, in processes of their own."""

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.backends import registry
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.manifest import Quantization
from toolkit.benchmarking import peak
from toolkit.benchmarking.peak import (
    Peak,
    Peaks,
    arithmetic,
    measure_peaks,
    share_note,
    share_of_peak,
)

MODELS = Path(__file__).parents[3] / "examples" / "models"
PEAKS = Peaks((Peak("int8", 2e11, "e"),), 1.0)


@pytest.fixture(scope="module")
def manifest():
    return artifacts.read(MODELS / "mnist-cnn.int8.tflite").manifest


def test_the_peaks_of_this_machine_are_found_and_name_their_engine():
    pytest.importorskip("ai_edge_litert")
    found = measure_peaks()
    assert found.problems == ()
    for kind in ("float32", "int8"):
        best = found.of(kind)
        assert 1e8 < best.multiply_adds_per_second < 1e13
        assert best.engine.split()[0] in registry()
    record = found.to_json()
    assert record["int8"]["multiply_adds_per_second"] == found.of("int8").multiply_adds_per_second
    assert "lower bound" in record["how"]
    assert 0 < record["seconds"] < 60


def test_an_engine_that_kills_its_process_is_told(monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os; os.kill(os.getpid(), 4)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = measure_peaks()
    assert found.best == ()
    assert found.problems
    assert all("gave no peak: its process ended with code -4" in one for one in found.problems)


def test_an_engine_that_hangs_is_reported(monkeypatch):
    monkeypatch.setattr(peak, "_CHILD_SECONDS", 0.01)
    assert "no reply after" in measure_peaks().problems[0]


def test_an_engine_that_is_not_there_has_no_say(monkeypatch):
    for backend in peak.registry().values():
        monkeypatch.setattr(backend, "installed", classmethod(lambda cls: False))
    assert measure_peaks().of("int8") is None


def test_the_best_engine_counts(monkeypatch):
    rates = iter([{"float32": 5.0}, {"float32": 9.0, "int8": 1.0}, {"int8": 2.0}])
    for backend in peak.registry().values():
        monkeypatch.setattr(backend, "installed", classmethod(lambda cls: True))
    monkeypatch.setattr(peak, "_run_process", lambda backend: {"rates": next(rates, {})})
    found = measure_peaks()
    assert found.of("float32").multiply_adds_per_second == 9.0
    assert found.of("int8").multiply_adds_per_second == 2.0
    assert found.of(None) is None


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("float32", "float32"),
        ("float16 weights", "float32"),
        ("float16, float32 in and out", "float32"),
        ("int8 weights (per channel), activations quantized at run time", "int8"),
        ("int8 weights (per tensor) and activations, int8 in and out", "int8"),
        ("QDQ, int8 weights (per channel) and activations, float32 in and out", "int8"),
        ("int8 weights (per channel), int16 activations, float32 in and out", None),
        ("something new", None),
    ],
)
def test_the_kind_of_arithmetic_is_read_off_the_scheme(manifest, scheme, kind):
    assert arithmetic(replace(manifest, quantization=Quantization(scheme))) == kind


def test_a_mixed_file_and_one_without_manifest_have_no_kind(manifest):
    mixed = Quantization("int8 weights", float_layers=("conv",))
    assert arithmetic(replace(manifest, quantization=mixed)) is None
    assert arithmetic(None) is None


@pytest.mark.parametrize(("threads", "share"), [(1, 0.5), (2, 0.25), (8, 0.25)])
def test_threads_are_compared_with_as_many_cores(make_result, threads, share):
    assert share_of_peak(make_result(threads=threads), "int8", PEAKS) == pytest.approx(share)


@pytest.mark.parametrize(
    ("changes", "kind", "peaks"),
    [
        ({"multiply_adds": None}, "int8", PEAKS),
        ({"device": "gpu"}, "int8", PEAKS),
        ({}, None, PEAKS),
        ({}, "int8", None),
    ],
)
def test_there_is_no_share_where_nothing_can_be_compared(make_result, changes, kind, peaks):
    assert share_of_peak(make_result(**changes), kind, peaks) is None


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({}, "int8", None),
        ({"multiply_adds": None}, "int8", "does not contain its multiply-adds"),
        ({}, None, "neither in float32 nor in int8 alone"),
        ({}, "float32", "no engine here gave one for float32"),
        ({"multiply_adds": 10**9}, "int8", "more than the peak"),
        ({"device": "gpu"}, "int8", "that of a GPU is not measured"),
    ],
)
def test_a_missing_or_odd_share_has_its_reason(make_result, changes, kind, words):
    note = share_note(make_result(**changes), kind, PEAKS)
    assert note is words is None or words in note


def test_no_reason_is_given_where_no_peak_was_asked_for(make_result):
    assert share_note(make_result(multiply_adds=None), "int8", None) is None
