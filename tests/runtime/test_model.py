"""The front door: load, predict, and what is assumed where a file says nothing."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runtime
from runtime.backends.tflite_runtime import TfliteRuntime
from runtime.errors import (
    BackendError,
    EdgeError,
    InputError,
    MissingDependencyError,
    UnknownNameError,
)
from runtime.modelfile import artifact as artifacts
from runtime.session import LoadOptions
from runtime.tasks.classification import softmax


@pytest.fixture
def classifier(exports):
    with runtime.load(exports["tflite-int8"]) as opened:
        yield opened


@pytest.fixture
def tiny_file(make_onnx, tmp_path):
    """Write a small ONNX file without manifest."""

    def write(**options):
        path = tmp_path / "plain.onnx"
        path.write_bytes(make_onnx(**options))
        return path

    return write


def test_real_digits_are_read_right_whatever_form_they_come_in(classifier, digits, digit_files):
    scores = classifier.predict_batch(digits.x_test[:20])
    index = int(scores.max(axis=1).argmax())  # the one it is surest of
    path, pixels = digit_files[index], digits.x_test[index]
    wanted = str(digits.y_test[index])
    forms = [
        path,
        str(path),
        path.read_bytes(),
        Image.open(path),
        pixels,
        pixels[..., 0],
        pixels.astype(np.float32) / 255,
        pixels[..., 0] / 255,
    ]
    assert [classifier.predict(form).label for form in forms] == [wanted] * len(forms)


def test_files_give_the_accuracy_that_the_manifest_states(classifier, digits):
    scores = classifier.predict_batch(digits.x_test)
    found = float((scores.argmax(axis=1) == digits.y_test).mean())
    assert found == pytest.approx(classifier.artifact.manifest.accuracy.artifact, abs=0.03)
    assert found > 0.85


def test_predict_and_predict_batch_agree(classifier, digits):
    images = digits.x_test[:5]
    rows = classifier.predict_batch(images)
    assert rows.dtype == np.float32
    for image, row in zip(images, rows, strict=True):
        np.testing.assert_allclose(classifier.predict(image).probabilities, row, atol=1e-6)


def test_uint8_and_float_batches_agree(classifier, digits):
    images = digits.x_test[:9]
    np.testing.assert_allclose(
        classifier.predict_batch(images), classifier.predict_batch(images / 255), atol=1 / 128
    )


def test_more_images_than_one_batch_holds(classifier, digits):
    count = len(digits.x_test)
    found = classifier.predict_batch(np.concatenate([digits.x_test, digits.x_test]))
    assert found.shape == (2 * count, 10)
    np.testing.assert_array_equal(found[:count], found[count:])


def test_batches_of_another_size_are_fitted_like_single_images(classifier, digits):
    large = np.stack([np.pad(x[..., 0], 12) for x in digits.x_test[:4]])
    rows = classifier.predict_batch(large)
    for image, row in zip(large, rows, strict=True):
        np.testing.assert_array_equal(classifier.predict(image).probabilities, row)


@pytest.mark.parametrize("shape", [(0, 28, 28), (0, 28, 28, 1), (0, 50, 60)])
def test_a_batch_of_no_images_has_no_rows(classifier, shape):
    found = classifier.predict_batch(np.zeros(shape, np.uint8))
    assert (found.shape, found.dtype) == ((0, 10), np.float32)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((28, 28), np.uint8), r"expected \(n, h, w\)"),
        (np.zeros((1, 28, 28, 1, 1), np.uint8), r"expected \(n, h, w\)"),
        (np.zeros((1, 28, 28, 4), np.uint8), r"\(h, w, 3\), got shape \(28, 28, 4\)"),
        (np.zeros((1, 28, 28), np.int32), "dtype int32"),
        (np.full((1, 28, 28), 200.0), "divide by 255"),
        (np.zeros((1, 0, 28), np.uint8), "the image is empty"),
    ],
)
def test_wrong_batches_are_refused(classifier, images, words):
    with pytest.raises(InputError, match=words):
        classifier.predict_batch(images)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros(28, np.uint8), r"expected \(h, w\)"),
        (np.zeros((28, 28, 2), np.uint8), r"expected \(h, w\)"),
        (np.zeros((9, 9), np.int64), "dtype int64"),
        (np.zeros((9, 9), object), "dtype object"),
        (np.full((9, 9), np.nan), "must lie in 0…1"),
        (np.zeros((0, 9), np.uint8), "the image is empty"),
        (np.zeros((9, 0, 3), np.uint8), "the image is empty"),
        (np.zeros((40, 40), np.uint8), "blank"),
        (b"no image", "not an image"),
        ("missing.png", "no such file"),
    ],
)
def test_wrong_images_are_refused(classifier, image, words):
    with pytest.raises(InputError, match=words):
        classifier.predict(image)


def test_a_prediction_says_what_was_done(classifier, digits):
    assert "taken as it is" in classifier.predict(digits.x_test[0]).steps[0]
    photo = np.pad(255 - digits.x_test[0, ..., 0], 30, constant_values=255)
    assert len(classifier.predict(photo).steps) > 1


def test_a_closed_classifier_may_be_closed_again(exports):
    opened = runtime.load(exports["onnx"])
    opened.close()
    opened.close()


def test_labels_and_preprocessing_of_the_file_are_used(exports, digits):
    with runtime.load(exports["onnx"]) as opened:
        assert opened.labels == digits.labels
        assert opened.spec == digits.spec
        assert opened.notes == ()


def test_options_win_over_the_file(exports):
    labels = tuple("abcdefghij")
    options = LoadOptions(labels, lambda spec: dataclasses.replace(spec, fit="pad"))
    with runtime.load(exports["onnx"], options=options) as opened:
        assert (opened.labels, opened.spec.fit) == (labels, "pad")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (LoadOptions(("a", "b")), "2 labels for a model of 10 classes"),
        (
            LoadOptions(adapt=lambda spec: dataclasses.replace(spec, height=30)),
            r"preprocessing for \(30, 28, 1\), but the model takes \(28, 28, 1\)",
        ),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused(exports, options, words):
    with pytest.raises(InputError, match=words):
        runtime.load(exports["onnx"], options=options)


@pytest.mark.parametrize("name", ["tflite", "tflite-int8", "tflite-int16x8", "onnx", "onnx-int8"])
def test_without_manifest_the_predictions_are_the_same_and_assumptions_are_noted(
    exports, stripped, digits, name
):
    images = digits.x_test[:20]
    with runtime.load(exports[name]) as own, runtime.load(stripped[name]) as plain:
        np.testing.assert_array_equal(own.predict_batch(images), plain.predict_batch(images))
        assert plain.labels == tuple("0123456789")
        notes = " | ".join(plain.notes)
        assert "no labels in the file: classes are numbered 0…9 (--labels)" in notes
        assert "scale 0.00392157, fit center-of-mass, polarity auto" in notes
        assert "--scale, --mean, --std, --fit, --polarity" in notes


def test_logits_get_a_softmax_and_a_note(tiny_file):
    image = np.full((1, 8, 8), 90, np.uint8)
    with runtime.load(tiny_file(softmax=False)) as opened:
        logits = opened.predict_batch(image)
        assert any("softmax is applied" in note for note in opened.notes)
    with runtime.load(tiny_file()) as opened:
        probabilities = opened.predict_batch(image)
        assert not any("softmax" in note for note in opened.notes)
    np.testing.assert_allclose(logits, probabilities, rtol=1e-5)
    assert probabilities.sum() == pytest.approx(1)


def test_channels_first_files_are_fed_channels_first(tiny_file, rng):
    image = rng.integers(0, 256, (1, 8, 6, 3), np.uint8)
    with runtime.load(tiny_file(shape=("n", 3, 8, 6))) as opened:
        assert opened.spec.shape == (8, 6, 3)
        found = opened.predict_batch(image)
    weights = np.linspace(-1, 1, 144 * 3, dtype=np.float32).reshape(144, 3)
    flat = (image.astype(np.float32) / 255).transpose(0, 3, 1, 2).reshape(1, 144)
    np.testing.assert_allclose(found, softmax(flat @ weights), rtol=1e-4)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_size_is_no_limit(tiny_file, rng, batch):
    images = rng.integers(0, 256, (11, 8, 8), np.uint8)  # three are left over, not one
    with runtime.load(tiny_file()) as free:
        wanted = free.predict_batch(images)
    with runtime.load(tiny_file(shape=(batch, 8, 8, 1))) as fixed:
        np.testing.assert_allclose(fixed.predict_batch(images), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"shape": ("n", 8)}, "no image classifier.*shape"),
        ({"shape": ("n", 8, 8, 5)}, "no image classifier"),
        ({"shape": ("n", "h", "w", 1)}, "no image classifier"),
        ({"classes": 1}, r"expected output \(batch, classes\)"),
        ({"inputs": 2}, "2 inputs and 1 outputs"),
        ({"kind": 11}, r"has type tensor\(double\); known: "),
    ],
)
def test_models_that_classify_no_images_are_refused(tiny_file, options, words):
    with pytest.raises(BackendError, match=words):
        runtime.load(tiny_file(**options), backend="onnxruntime")


def test_one_score_that_is_no_number_is_an_error(tiny_file, rng):
    batch = rng.random((3, 8, 8, 1), np.float32)
    batch[1] = np.nan
    with runtime.load(tiny_file()) as opened, pytest.raises(BackendError, match="NaN or infinity"):
        opened.run(batch)


def test_a_manifest_of_another_model_is_refused(make_onnx, manifest, tmp_path):
    path = tmp_path / "mixed.onnx"
    data = make_onnx(shape=("n", 9, 9, 1))
    path.write_bytes(artifacts.pack(path, data, manifest).data)
    with pytest.raises(BackendError, match=r"not those of its manifest.*toolkit export"):
        runtime.load(path)


def test_unknown_backends_and_devices_get_a_suggestion(exports):
    with pytest.raises(UnknownNameError, match=r"unknown backend 'litrt'\. Did you mean 'litert'"):
        runtime.load(exports["tflite"], backend="litrt")
    with pytest.raises(UnknownNameError, match=r"unknown device 'gpuu'\. Did you mean 'gpu'"):
        runtime.load(exports["tflite"], device="gpuu")
    with pytest.raises(InputError, match="at least 1, not 0"):
        runtime.load(exports["tflite"], threads=0)


def test_a_file_for_another_engine_is_refused(exports):
    with pytest.raises(BackendError, match=r"litert runs \.tflite files, not digits-cnn"):
        runtime.load(exports["onnx"], backend="litert")


@pytest.mark.parametrize(
    ("name", "modules", "extra"),
    [
        ("tflite", ["ai_edge_litert", "tflite_runtime", "openvino"], "litert"),
        ("onnx", ["onnxruntime", "openvino"], "onnx"),
    ],
)
def test_a_missing_engine_is_reported_with_the_command_that_installs_it(
    exports, monkeypatch, name, modules, extra
):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    words = rf'is not installed.*pip install "edge-toolkit\[{extra}\]"'
    with pytest.raises(MissingDependencyError, match=words):
        runtime.load(exports[name])
    with pytest.raises(MissingDependencyError, match=words):
        runtime.load(exports[name], backend=modules[0].replace("_", "-").removeprefix("ai-edge-"))


def test_the_second_engine_is_taken_where_the_first_is_missing(exports, monkeypatch):
    try:
        TfliteRuntime.preload()
    except EdgeError as error:
        pytest.skip(str(error))
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with runtime.load(exports["tflite-int8"]) as opened:
        assert opened.backend.name == "tflite-runtime"


def test_load_takes_text_and_path(tiny):
    for path in (tiny.path, str(tiny.path), Path(tiny.path)):
        with runtime.load(path) as opened:
            assert opened.labels == tiny.manifest.labels
