"""The float32 graphs of a model: converted when asked for, and once."""

import pytest

from exporters import graphs
from exporters.graphs import FloatGraphs


@pytest.fixture
def conversions(monkeypatch):
    """What is converted, in order; the converters are stubs that return new objects."""
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
    made = FloatGraphs(None)
    assert conversions == []
    assert made.onnx_prepared is made.onnx_prepared
    assert made.onnx is made.onnx
    assert made.tflite is made.tflite
    assert conversions == ["onnx", "prepare", "tflite"]


def test_another_model_has_graphs_of_its_own(conversions):
    assert FloatGraphs(None).tflite is not FloatGraphs(None).tflite
    assert conversions == ["tflite", "tflite"]


def test_the_suffix_says_which_graph_a_file_is(subject):
    made = subject.graphs
    assert made.to_bytes(".tflite") is made.tflite
    assert made.to_bytes(".onnx") == made.onnx.SerializeToString()
