"""Requests that do not fit, and engines that are missing."""

import logging
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from exporters import base, formats
from exporters.check import CheckImages
from exporters.graphs import FloatGraphs
from exporters.keras_model.source import KerasSource
from exporters.quantization_options import QuantizationOptions
from exporters.request import ExportRequest
from runtime.errors import BackendError, CalibrationError, ExportError, InputError
from runtime.preprocessing.spec import PreprocessSpec


def tensor(*shape):
    return SimpleNamespace(shape=(None, *shape))


@pytest.fixture
def request_(tmp_path):
    check = CheckImages(np.zeros((1, 8, 8, 1), np.float32), np.zeros(1, np.int64), "x")
    labels, spec = ("a", "b", "c"), PreprocessSpec(8, 8, 1)
    model = SimpleNamespace(inputs=[tensor(8, 8, 1)], outputs=[tensor(3)])
    source = KerasSource(model, tmp_path / "net.keras", "")
    return ExportRequest(FloatGraphs(source), "net", labels, spec, check, None, "x", tmp_path)


@pytest.mark.parametrize("name", ["mnist-cnn", "a", "v1.2_b", "7"])
def test_names_that_can_be_file_names(request_, name):
    assert replace(request_, name=name).name == name


@pytest.mark.parametrize("name", ["", "../evil", "a/b", ".hidden", "my net", "naïve", "a\n"])
def test_names_that_cannot_be_file_names(request_, name):
    with pytest.raises(InputError, match="cannot be a file name"):
        replace(request_, name=name)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spec": PreprocessSpec(8, 9, 1)}, r"\(8, 8, 1\) images, the preprocessing makes"),
        ({"spec": PreprocessSpec(8, 8, 3)}, r"\(8, 8, 3\)"),
        ({"labels": ("a", "b")}, r"3 classes, but there are 2 labels \(--labels\)"),
        ({"labels": tuple("abcd")}, "4 labels"),
    ],
)
def test_parts_that_do_not_fit_are_refused(request_, changes, words):
    with pytest.raises(InputError, match=words):
        replace(request_, **changes)


def test_formats_are_listed_in_the_order_of_their_rank():
    assert list(formats.registry()) == [
        "tflite",
        "tflite-float16",
        "tflite-dynamic",
        "tflite-int8",
        "tflite-int16x8",
        "onnx",
        "onnx-float16",
        "onnx-int8",
    ]


def test_a_file_that_the_engine_refuses_is_not_written(trained, tmp_path, monkeypatch):
    from toolkit.export.request import ExportOptions, build_request

    class Refusing:
        def __init__(self, artifact):
            raise BackendError("no such operator")

    monkeypatch.setattr(base, "for_suffix", lambda suffix: [Refusing])
    options = ExportOptions((), tmp_path / "out")
    request = build_request(trained, options, calibrate=False)
    with pytest.raises(ExportError, match="format tflite: no such operator"):
        formats.registry()["tflite"]().export(request)
    assert not (tmp_path / "out").exists()


def test_keras_answers_the_check_images_once_for_all_formats(trained, tmp_path, monkeypatch):
    from toolkit.export.export import export
    from toolkit.export.request import ExportOptions

    asked = []
    predict = KerasSource.predict

    def counted(source, batch):
        asked.append(len(batch))
        return predict(source, batch)

    monkeypatch.setattr(KerasSource, "predict", counted)
    options = ExportOptions(("tflite", "tflite-float16", "onnx"), tmp_path)
    files = [one.artifact for one in export(trained, options)]
    assert len(files) == 3
    assert len(asked) == 1


def test_a_conversion_is_logged_with_format_and_seconds(request_, monkeypatch, caplog):
    exporter = formats.registry()["tflite"]
    monkeypatch.setattr(exporter, "_convert", lambda self, request: b"payload")
    with caplog.at_level(logging.DEBUG, "exporters"):
        assert exporter().draft(request_).data == b"payload"
    assert re.fullmatch(r"net: converted to tflite in \d+\.\d\d s", caplog.messages[-1])


def test_a_conversion_that_fails_is_not_logged(request_, monkeypatch, caplog):
    def broken(self, request):
        raise ExportError("no such operator")

    exporter = formats.registry()["tflite"]
    monkeypatch.setattr(exporter, "_convert", broken)
    with caplog.at_level(logging.DEBUG, "exporters"), pytest.raises(ExportError):
        exporter().draft(request_)
    assert not caplog.messages


def test_calibration_images_are_asked_for_in_one_place(request_):
    with pytest.raises(CalibrationError, match="format x needs calibration images: --data PATH"):
        request_.require_calibration("x")


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("tflite", {"method": "mse"}, "is not calibrated: no --calibration-method mse"),
        ("tflite-int16x8", {"method": "mse"}, "takes min-max: no --calibration-method mse"),
        ("onnx-int8", {"method": "mse"}, "takes min-max, percentile, entropy: no"),
        ("onnx", {"per_channel": False}, "cannot quantize per tensor: no --per-tensor"),
        ("tflite-int16x8", {"per_channel": False}, "cannot quantize per tensor: no --per-tensor"),
        ("tflite-float16", {"per_channel": False}, "cannot quantize per tensor: no --per-tensor"),
        ("tflite-dynamic", {"float_layers": ("a",)}, "cannot leave single layers in float"),
        ("tflite-int16x8", {"float_layers": ("a",)}, "cannot leave single layers in float"),
    ],
)
def test_options_that_a_format_cannot_honour_are_refused(trained, tmp_path, name, options, words):
    from toolkit.export.request import ExportOptions, build_request

    options = ExportOptions((), tmp_path, quantization=QuantizationOptions(**options))
    request = build_request(trained, options, calibrate=True)
    with pytest.raises(ExportError, match=f"format {name} {words}"):
        formats.registry()[name]().export(request)
    assert not list(tmp_path.iterdir())
