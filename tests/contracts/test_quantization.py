"""What every format must keep of the options of its quantization."""

from dataclasses import replace

import numpy as np
import pytest

import runtime
from exporters import formats
from exporters.quantization_options import QuantizationOptions
from exporters.tflite import graph as tflite_graph
from runtime.errors import ExportError
from toolkit.datasets import DataOptions
from toolkit.export.request import ExportOptions, build_request
from toolkit.trained_model import Overrides, resolve

FORMATS = formats.registry()


@pytest.fixture
def exporter(name):
    return FORMATS[name]


@pytest.fixture(scope="module")
def rgb_request(rgb_model, tmp_path_factory):
    data = DataOptions(path=rgb_model / "colors.npz")
    trained = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    options = ExportOptions((), tmp_path_factory.mktemp("out"))
    return build_request(trained, options, calibrate=True)


def load_onnx(file):
    import onnx

    return onnx.load_model_from_string(file.data)


@pytest.mark.parametrize("name", [n for n, e in FORMATS.items() if e.per_tensor])
def test_one_scale_a_layer_is_made_and_recorded(name, exporter, rgb_request, tmp_path):
    options = QuantizationOptions(per_channel=False)
    file = exporter().export(replace(rgb_request, out=tmp_path, quantization=options))
    assert "per tensor" in file.manifest.quantization.scheme
    assert "per channel" not in file.manifest.quantization.scheme
    assert set(scale_counts(file)) == {1}


@pytest.mark.parametrize("name", [n for n, e in FORMATS.items() if e.per_tensor])
def test_scales_are_one_a_channel_by_default(name, exporter, rgb_request):
    assert max(scale_counts(exporter().draft(rgb_request))) > 1


def scale_counts(file):
    """How many scales the tensors of a file have."""
    if file.suffix == ".onnx":
        graph = load_onnx(file).graph
        sizes = {i.name: int(np.prod(i.dims)) for i in graph.initializer}
        return [sizes[n.input[1]] for n in graph.node if n.op_type == "DequantizeLinear"]
    (graph,) = tflite_graph.parse(file.data).subgraphs
    found = [t.quantization.scale for t in graph.tensors if t.quantization is not None]
    return [len(scale) for scale in found if scale is not None]


@pytest.mark.parametrize(
    ("name", "method"), [(n, m) for n, e in FORMATS.items() for m in e.methods]
)
def test_every_method_a_format_names_works_and_is_recorded(
    name, method, exporter, rgb_request, tmp_path
):
    options = QuantizationOptions(method=method)
    file = exporter().export(replace(rgb_request, out=tmp_path, quantization=options, force=True))
    assert file.manifest.quantization.calibration.method == method
    assert file.manifest.accuracy.agreement > 0.8


@pytest.mark.parametrize("name", [n for n, e in FORMATS.items() if e.mixed])
def test_a_layer_left_in_float_is_in_float_and_recorded(name, exporter, rgb_request, tmp_path):
    key = first_convolution(rgb_request.graphs, exporter.suffix)
    options = QuantizationOptions(float_layers=(key,))
    file = exporter().export(replace(rgb_request, out=tmp_path, quantization=options))
    record = file.manifest.quantization
    assert record.scheme.endswith("; 1 layer in float32")
    assert len(record.float_layers) == 1
    assert "/" not in record.float_layers[0]
    assert key in float_layers(file)
    with runtime.load(file.path) as classifier:
        assert len(classifier.predict_batch(np.zeros((2, 32, 32, 3), np.uint8))) == 2


def first_convolution(graphs, suffix):
    if suffix == ".onnx":
        return next(n.name for n in graphs.onnx_prepared.graph.node if n.op_type == "Conv")
    model = tflite_graph.parse(graphs.tflite)
    (graph,) = model.subgraphs
    operator = next(
        op for op in graph.operators if model.operatorCodes[op.opcodeIndex].builtinCode == 3
    )
    return graph.tensors[operator.outputs[0]].name.decode()


def float_layers(file):
    """The layers whose weights are float32, by key."""
    if file.suffix == ".onnx":
        graph = load_onnx(file).graph
        plain = {i.name for i in graph.initializer if i.data_type == 1 and len(i.dims) > 1}
        return {n.name for n in graph.node if n.op_type == "Conv" and n.input[1] in plain}
    (graph,) = tflite_graph.parse(file.data).subgraphs
    return {
        graph.tensors[op.outputs[0]].name.decode()
        for op in graph.operators
        if len(op.inputs) > 1 and graph.tensors[op.inputs[1]].type == 0
    }


@pytest.mark.parametrize("name", [n for n, e in FORMATS.items() if e.mixed])
def test_a_layer_that_does_not_exist_is_named(name, exporter, rgb_request, tmp_path):
    options = QuantizationOptions(float_layers=("no such layer",))
    with pytest.raises(ExportError, match="the model has no layer 'no such layer'; it has "):
        exporter().export(replace(rgb_request, out=tmp_path / "out", quantization=options))
    assert not (tmp_path / "out").exists()
