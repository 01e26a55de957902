"""Biases of channels whose weights vanished in training."""

from dataclasses import replace

import numpy as np
import pytest

from exporters.formats import registry
from exporters.graphs import FloatGraphs
from exporters.keras_model.source import KerasSource
from exporters.quantization_options import QuantizationOptions
from exporters.tflite import quantize
from runtime.backends.litert import LiteRt
from runtime.modelfile.artifact import Artifact
from toolkit.diagnosis.constants import changed
from toolkit.export.request import ExportOptions, build_request
from toolkit.inspection import view
from toolkit.inspection.float_view import float_view


@pytest.fixture(scope="module")
def request_(trained):
    """A network with a channel that outputs only its bias, which int32 cannot hold."""
    import keras

    model = keras.models.clone_model(trained.source.model)
    model.set_weights(trained.source.model.get_weights())
    layer = model.layers[1]
    kernel, bias = (np.array(values) for values in layer.get_weights())
    kernel[..., 0], bias[0] = 1e-10, 0.4
    layer.set_weights([kernel, bias])
    source = KerasSource(model, trained.source.path, trained.source.sha256)
    request = build_request(trained, ExportOptions(()), calibrate=True)
    options = QuantizationOptions(method="percentile")
    return replace(request, graphs=FloatGraphs(source), quantization=options)


def test_the_bias_of_a_vanished_channel_is_kept(request_):
    payload = registry()["tflite-int8"]().draft(request_).data
    assert changed(view(payload, ".tflite"), float_view(request_.graphs, ".tflite")) == ()
    outputs = LiteRt(Artifact(request_.out / "x.tflite", payload, None, "")).run(
        request_.check.batch
    )
    expected = request_.source.predict(request_.check.batch)
    assert (outputs.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.97


def test_without_requantization_the_bias_is_lost(request_, monkeypatch):
    """If a later release of litert-quantizer keeps it, ours can go."""
    monkeypatch.setattr(quantize, "requantize_biases", lambda *_: None)
    payload = registry()["tflite-int8"]().draft(request_).data
    (text,) = changed(view(payload, ".tflite"), float_view(request_.graphs, ".tflite"))
    assert "1 of 32 biases is not the Keras model's" in text


def test_a_file_without_such_a_channel_stays_as_it_is(trained, monkeypatch):
    request = build_request(trained, ExportOptions(()), calibrate=True)
    request = replace(request, quantization=QuantizationOptions(method="percentile"))
    requantized = registry()["tflite-int8"]().draft(request).data
    monkeypatch.setattr(quantize, "requantize_biases", lambda *_: None)
    assert registry()["tflite-int8"]().draft(request).data == requantized
