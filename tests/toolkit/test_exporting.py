"""Exports of a run: which images calibrate and check, which formats, what if one fails."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from exporters.calibration import CalibrationOptions, stratified_sample
from runtime import artifact as artifacts
from runtime.errors import UnknownNameError
from runtime.manifest import Accuracy
from toolkit import exporting
from toolkit.exporting import ExportOptions, export, keras_warning, select


def test_no_name_selects_all_formats():
    assert len(select(())) == 8


def test_names_select_in_their_order_and_once():
    found = select(["onnx", "tflite", "onnx"])
    assert [exporter.name for exporter in found] == ["onnx", "tflite"]


def test_a_mistyped_format_writes_nothing(subject, tmp_path):
    options = ExportOptions(("tflite", "tflite-int9"), tmp_path / "out")
    with pytest.raises(UnknownNameError, match="Did you mean 'tflite-int8'"):
        list(export(subject, options))
    assert not (tmp_path / "out").exists()


def test_files_go_to_the_run_or_where_asked(subject, tmp_path):
    request = exporting.build_request(subject, ExportOptions(()), calibrate=False)
    assert request.out == subject.exports
    request = exporting.build_request(subject, ExportOptions((), tmp_path), calibrate=False)
    assert request.out == tmp_path
    assert request.calibration is None


@pytest.mark.parametrize("seed", [0, 5])
def test_the_calibration_record_can_be_checked_by_hand(subject, seed):
    options = ExportOptions((), calibration=CalibrationOptions(100, seed))
    record = exporting.build_request(subject, options, calibrate=True).calibration.record
    indices = stratified_sample(
        subject.dataset.y_train, subject.training, CalibrationOptions(100, seed)
    )
    assert np.isin(indices, subject.training).all()
    assert record.indices_sha256 == hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()
    assert record.seed == seed
    counts = np.bincount(subject.dataset.y_train[indices])
    assert counts.min() >= 8


def test_test_images_of_all_classes_check_the_files(subject):
    check = exporting.build_request(subject, ExportOptions(()), calibrate=False).check
    assert len(check.batch) == 256
    assert np.bincount(check.truth).min() >= 20
    assert len(np.unique(check.first(64).truth)) == 10


@pytest.fixture
def artifact(exports):
    found = artifacts.read(exports["tflite"])

    def _artifact(reference, images=100):
        accuracy = Accuracy(reference, reference, 1.0, 0.0, "x", images)
        return replace(found, manifest=replace(found.manifest, accuracy=accuracy))

    return _artifact


def test_a_model_that_guesses_is_warned_about(artifact):
    assert "right on only 11.0% of the images" in keras_warning(artifact(0.11))
    assert keras_warning(artifact(0.95)) is None
    assert keras_warning(artifact(0.11, images=5)) is None
    assert keras_warning(replace(artifact(0.1), manifest=None)) is None


def test_other_formats_go_on_where_one_fails(subject, tmp_path, monkeypatch):
    from exporters.formats.tflite import Float32
    from runtime.errors import ExportError

    def broken(self, request):
        raise ExportError("broken on purpose")

    monkeypatch.setattr(Float32, "_convert", broken)
    failed = {}
    options = ExportOptions(("tflite", "tflite-float16"), tmp_path)
    done = list(export(subject, options, on_failure=lambda name, e: failed.update({name: e})))
    assert [file.path.name for file in done] == ["digits-cnn.float16.tflite"]
    assert list(failed) == ["tflite"]
    with pytest.raises(ExportError, match="broken on purpose"):
        list(export(subject, options))


@pytest.mark.parametrize(
    ("classes", "reference", "warned"),
    [(2, 1.0, False), (2, 0.55, True), (3, 0.9, False), (3, 0.35, True), (10, 0.1, True)],
)
def test_only_a_keras_model_near_chance_is_warned_about(exports, classes, reference, warned):
    from runtime.artifact import read

    file = read(exports["tflite"])
    accuracy = replace(file.manifest.accuracy, reference=reference)
    labels = tuple("abcdefghij"[:classes])
    changed = replace(file, manifest=replace(file.manifest, labels=labels, accuracy=accuracy))
    assert (keras_warning(changed) is not None) is warned
