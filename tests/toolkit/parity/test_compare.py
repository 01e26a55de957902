"""The verdict on a model file: against files, other models and counting by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from exporters.budget import EXACT, INTEGER, ParityBudget
from runtime.backends import Backend
from runtime.errors import InputError, MissingDependencyError, UnknownNameError
from runtime.modelfile import artifact as artifacts
from toolkit.parity import (
    FAIL,
    PASS,
    REFUSED,
    ArtifactParity,
    Candidate,
    Reference,
    budget_for,
    compare,
)
from toolkit.parity.compare import Comparison, compare_each
from toolkit.parity.report import overall
from toolkit.progress import Silent

COUNT = 120


@pytest.fixture
def judge(trained):
    """Compare candidates with Keras on some test images."""

    def _judge(*candidates, budget=None, reporter=None, count=COUNT):
        return compare(
            Reference.of(trained),
            candidates,
            trained.dataset.x_test[:count],
            trained.dataset.y_test[:count],
            budget,
            reporter or Silent(),
        )

    return _judge


@pytest.fixture
def candidate(exports):
    return lambda name, backend="auto": Candidate(artifacts.read(exports[name]), backend)


def test_a_correct_export_passes(judge, candidate, trained):
    report = judge(candidate("tflite"), candidate("onnx"))
    assert report.verdict == PASS
    assert [entry.backend for entry in report.artifacts] == ["litert", "onnxruntime"]
    expected = trained.source.predict(trained.spec.apply(trained.dataset.x_test[:COUNT]))
    right = (expected.argmax(axis=1) == trained.dataset.y_test[:COUNT]).mean()
    assert report.reference_accuracy == pytest.approx(right)
    for entry in report.artifacts:
        assert (entry.verdict, entry.reasons) == (PASS, ())
        assert entry.agreement == 1.0
        assert entry.accuracy == report.reference_accuracy
        assert entry.accuracy_delta == 0.0
        assert entry.mcnemar_p == 1.0
        assert entry.max_abs_error < 1e-4


def test_int8_is_within_its_own_budget_but_not_within_that_of_float32(judge, candidate):
    assert judge(candidate("tflite-int8")).verdict == PASS
    report = judge(candidate("tflite-int8"), budget=EXACT)
    assert report.verdict == FAIL
    assert any("difference of a probability" in r for r in report.artifacts[0].reasons)


def test_a_model_that_answers_otherwise_fails_with_all_reasons(judge, candidate, trained):
    own = Reference.of(trained)
    report = compare(
        replace(own, predict=lambda batch: np.roll(own.predict(batch), 1, axis=1)),
        [candidate("tflite")],
        trained.dataset.x_test[:COUNT],
        (trained.dataset.y_test[:COUNT] + 1) % 10,
    )
    (entry,) = report.artifacts
    assert (report.verdict, entry.verdict) == (FAIL, FAIL)
    for words in ("accuracy fell by", "other label than Keras on", "the largest difference of a"):
        assert any(words in reason for reason in entry.reasons), words
    assert "in another order" in entry.causes[0]
    assert entry.mcnemar_p < 1e-6


def test_an_engine_that_refuses_a_file_is_distinguished_from_a_failure(judge, candidate):
    report = judge(candidate("tflite", "onnxruntime"), candidate("tflite"))
    refused, passed = report.artifacts
    assert (refused.verdict, refused.backend) == (REFUSED, "onnxruntime")
    assert refused.accuracy is refused.max_abs_error is None
    assert "runs .onnx files" in refused.reasons[0]
    assert (passed.verdict, report.verdict) == (PASS, PASS)


def test_a_file_that_every_engine_refuses_fails(judge, candidate):
    assert judge(candidate("onnx", "litert")).verdict == FAIL


def test_an_unknown_engine_is_an_error(judge, candidate):
    with pytest.raises(UnknownNameError, match="Did you mean 'litert'"):
        judge(candidate("tflite", "litrt"))


def test_a_missing_engine_is_an_error(judge, candidate, monkeypatch):
    from runtime.backends.litert import LiteRt

    monkeypatch.setattr(LiteRt, "installed", classmethod(lambda cls: False))
    with pytest.raises(MissingDependencyError, match="ai-edge-litert"):
        judge(candidate("tflite", "litert"))


def test_other_classes_fail(judge, rgb_model, trained, candidate):
    own = Reference.of(trained)
    report = compare(
        replace(own, predict=lambda batch: np.eye(7, dtype=np.float32)[np.zeros(len(batch), int)]),
        [candidate("tflite")],
        trained.dataset.x_test[:5],
        trained.dataset.y_test[:5],
    )
    assert report.artifacts[0].verdict == FAIL
    assert report.artifacts[0].reasons == ("made for other data: (28, 28, 1), 10 classes",)


def test_numbers_that_are_not_finite_fail(judge, candidate, monkeypatch):
    def answers(backend, images, spec):
        rows = np.full((len(images), 10), 0.1, np.float32)
        rows[3, 4] = np.nan
        return rows

    monkeypatch.setattr(Backend, "run_images", answers)
    (entry,) = judge(candidate("tflite"), budget=ParityBudget(1, 0, 1, 1)).artifacts
    assert entry.verdict == FAIL
    assert "NaN or infinity" in entry.reasons[0]


def test_nothing_to_compare_is_an_error(judge, candidate):
    with pytest.raises(InputError, match="nothing to compare"):
        judge()
    with pytest.raises(InputError, match="nothing to compare"):
        judge(candidate("tflite"), count=0)


def test_progress_counts_the_images_of_each_file(judge, candidate):
    class Recorder(Silent):
        def __init__(self):
            self.titles, self.steps = [], 0

        def task(self, title, total):
            self.titles.append((title, total))
            return _Tick(self)

    class _Tick:
        def __init__(self, recorder):
            self.recorder = recorder

        def __enter__(self):
            def tick(steps):
                self.recorder.steps += steps

            return tick

        def __exit__(self, *error):
            return None

    recorder = Recorder()
    judge(candidate("tflite"), reporter=recorder)
    assert recorder.titles == [("Keras", COUNT), ("digits-cnn.float32.tflite on litert", COUNT)]
    assert recorder.steps == 2 * COUNT


def test_the_record_has_the_documented_keys(judge, candidate):
    record = judge(candidate("tflite")).to_json()
    assert {"verdict", "reference", "artifacts"} <= set(record)
    keys = {
        "format",
        "path",
        "backend",
        "device",
        "accelerator",
        "accuracy",
        "accuracy_delta",
        "accuracy_delta_interval",
        "agreement",
        "agreement_interval",
        "max_abs_error",
        "mean_abs_error",
        "kl_divergence",
        "cosine",
        "sqnr_db",
        "mcnemar_p",
        "verdict",
        "sentence",
        "reasons",
        "causes",
        "notes",
        "flips",
        "different",
        "near_ties",
        "allclose",
        "budget",
    }
    assert set(record["artifacts"][0]) == keys
    json.dumps(record, allow_nan=False)


def test_a_refused_file_has_the_first_keys_too(judge, candidate):
    (entry, _) = judge(candidate("tflite", "onnxruntime"), candidate("tflite")).to_json()[
        "artifacts"
    ]
    assert entry["accuracy"] is entry["mcnemar_p"] is None
    assert entry["sentence"].startswith("onnxruntime refuses digits-cnn.float32.tflite")


def test_the_outputs_come_with_the_verdict(trained, candidate):
    images, truth = trained.dataset.x_test[:9], trained.dataset.y_test[:9]
    comparison = Comparison.of(Reference.of(trained), images, truth)
    candidates = [candidate("tflite"), candidate("tflite", "onnxruntime")]
    ran, refused = compare_each(comparison, candidates)
    np.testing.assert_allclose(ran.outputs, comparison.expected, atol=1e-4)
    assert ran.outputs.shape == (9, 10)
    assert (refused.entry.verdict, refused.outputs) == (REFUSED, None)
    assert comparison.report([ran.entry]).verdict == ran.entry.verdict == PASS


def test_the_budget_of_a_candidate_is_used(judge, candidate):
    (entry,) = judge(replace(candidate("tflite-int8"), budget=EXACT)).artifacts
    assert (entry.verdict, entry.budget) == (FAIL, EXACT)


def entry(path, verdict):
    return ArtifactParity("tflite", path, "litert", verdict)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([("a", PASS)], PASS),
        ([("a", PASS), ("a", REFUSED)], PASS),
        ([("a", PASS), ("b", REFUSED)], FAIL),
        ([("a", PASS), ("a", FAIL)], FAIL),
        ([("a", REFUSED)], FAIL),
        ([("a", PASS), ("b", PASS)], PASS),
    ],
)
def test_the_overall_verdict(entries, expected):
    assert overall(tuple(entry(*e) for e in entries)) == expected


def test_budgets_follow_the_format_and_unknown_files_get_that_of_int8():
    assert budget_for("tflite") is EXACT
    assert budget_for("made elsewhere") is INTEGER
