"""Exports of a run: which images calibrate and check, which formats, what if one fails."""

import hashlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from exporters.calibration import CalibrationOptions, stratified_sample
from runtime.errors import ExportError, UnknownNameError
from runtime.modelfile import artifact as artifacts
from runtime.modelfile.manifest import Accuracy
from runtime.preprocessing.spec import PreprocessSpec
from toolkit.export.export import each, export, select
from toolkit.export.request import ExportOptions, build_request, draw_calibration
from toolkit.parity.words import keras_warning
from toolkit.progress import SILENT


def test_no_name_selects_all_formats():
    assert len(select(())) == 8


def test_names_select_in_their_order_and_once():
    found = select(["onnx", "tflite", "onnx"])
    assert [exporter.name for exporter in found] == ["onnx", "tflite"]


def test_a_mistyped_format_writes_nothing(trained, tmp_path):
    options = ExportOptions(("tflite", "tflite-int9"), tmp_path / "out")
    with pytest.raises(UnknownNameError, match="Did you mean 'tflite-int8'"):
        list(export(trained, options))
    assert not (tmp_path / "out").exists()


def test_files_go_to_the_run_or_where_asked(trained, tmp_path):
    request = build_request(trained, ExportOptions(()), calibrate=False)
    assert request.out == trained.exports
    request = build_request(trained, ExportOptions((), tmp_path), calibrate=False)
    assert request.out == tmp_path
    assert request.calibration is None


@pytest.mark.parametrize("seed", [0, 5])
def test_the_calibration_record_can_be_checked_by_hand(trained, seed):
    options = ExportOptions((), calibration=CalibrationOptions(100, seed))
    record = build_request(trained, options, calibrate=True).calibration.record
    indices = stratified_sample(
        trained.dataset.y_train, trained.training, CalibrationOptions(100, seed)
    )
    assert np.isin(indices, trained.training).all()
    assert record.indices_sha256 == hashlib.sha256(indices.astype("<i8").tobytes()).hexdigest()
    assert record.seed == seed
    counts = np.bincount(trained.dataset.y_train[indices])
    assert counts.min() >= 8


def test_calibration_draws_from_the_training_part_only(rng):
    train, test = rng.integers(0, 256, (2, 30, 4, 4, 1), dtype=np.uint8)
    y, spec = np.arange(30) % 3, PreprocessSpec(4, 4)
    dataset = SimpleNamespace(name="mine", x_train=train, y_train=y, x_test=test, y_test=y)
    trained = SimpleNamespace(dataset=dataset, training=np.arange(0, 30, 2), spec=spec)
    drawn = draw_calibration(trained, CalibrationOptions(10))
    allowed = {image.tobytes() for image in spec.apply(train[::2])}
    assert {image.tobytes() for image in drawn.batch} < allowed


def test_test_images_of_all_classes_check_the_files(trained):
    check = build_request(trained, ExportOptions(()), calibrate=False).check
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


def test_the_error_of_a_single_format_is_raised():
    class Broken:
        name = "broken"

    def write(exporter):
        raise ExportError(f"{exporter.name} on purpose")

    (found,) = each([Broken], write, SILENT)
    assert found.format == "broken"
    with pytest.raises(ExportError, match="broken on purpose"):
        _ = found.artifact


def test_other_formats_go_on_where_one_fails(trained, tmp_path, monkeypatch):
    from exporters.formats.tflite import Float32

    def broken(self, request):
        raise ExportError("broken on purpose")

    monkeypatch.setattr(Float32, "_convert", broken)
    failed, done = export(trained, ExportOptions(("tflite", "tflite-float16"), tmp_path))
    assert (failed.format, str(failed.error)) == ("tflite", "broken on purpose")
    assert (done.format, done.error, done.search) == ("tflite-float16", None, None)
    assert done.artifact.path.name == "digits-cnn.float16.tflite"
    with pytest.raises(ExportError, match="broken on purpose"):
        _ = failed.artifact


@pytest.mark.parametrize(
    ("classes", "reference", "warned"),
    [(2, 1.0, False), (2, 0.55, True), (3, 0.9, False), (3, 0.35, True), (10, 0.1, True)],
)
def test_only_a_keras_model_near_chance_is_warned_about(exports, classes, reference, warned):
    from runtime.modelfile.artifact import read

    file = read(exports["tflite"])
    accuracy = replace(file.manifest.accuracy, reference=reference)
    labels = tuple("abcdefghij"[:classes])
    changed = replace(file, manifest=replace(file.manifest, labels=labels, accuracy=accuracy))
    assert (keras_warning(changed) is not None) is warned
