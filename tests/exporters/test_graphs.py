"""The float32 graphs of a model: converted when asked for, and once."""

import logging
from types import SimpleNamespace

import pytest

from exporters import graphs
from exporters.graphs import FloatGraphs

MODEL = SimpleNamespace(path="net.keras")


@pytest.fixture
def conversions(monkeypatch, caplog):
    """What is converted, in order; the converters are stubs that return new objects."""
    caplog.set_level(logging.DEBUG, "exporters")
    found = []

    def stub(name):
        def convert(*_):
            found.append(name)
            return object()

        return convert

    monkeypatch.setattr(graphs.tflite_graph, "convert", stub("tflite"))
    monkeypatch.setattr(graphs.onnx_graph, "convert", stub("onnx"))
    monkeypatch.setattr(graphs, "prepare", stub("prepare"))
    return found


def test_each_graph_is_converted_once(conversions):
    made = FloatGraphs(MODEL)
    assert conversions == []
    assert made.onnx_prepared is made.onnx_prepared
    assert made.onnx is made.onnx
    assert made.tflite is made.tflite
    assert conversions == ["onnx", "prepare", "tflite"]


def test_another_model_has_graphs_of_its_own(conversions):
    assert FloatGraphs(MODEL).tflite is not FloatGraphs(MODEL).tflite
    assert conversions == ["tflite", "tflite"]


def test_each_conversion_is_logged_once(conversions, caplog):
    made = FloatGraphs(MODEL)
    assert made.onnx_prepared is made.onnx_prepared
    assert [message.partition(" in ")[0] for message in caplog.messages] == [
        "net.keras: converted to a float32 ONNX graph",
        "net.keras: converted to a prepared ONNX graph",
    ]


def test_the_suffix_says_which_graph_a_file_is(trained):
    made = trained.graphs
    assert made.to_bytes(".tflite") is made.tflite
    assert made.to_bytes(".onnx") == made.onnx.SerializeToString()
