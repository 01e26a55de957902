"""What is particular to ONNX."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from exporters.formats import registry
from exporters.onnx.quantize import _Reader
from runtime.errors import ExportError


@pytest.fixture(scope="module")
def models(exports):
    return {
        name: onnx.load_model_from_string(path.read_bytes())
        for name, path in exports.items()
        if path.suffix == ".onnx"
    }


def test_float16_keeps_float32_in_and_out(models):
    graph = models["onnx-float16"].graph
    ends = [v.type.tensor_type.elem_type for v in (*graph.input, *graph.output)]
    assert ends == [onnx.TensorProto.FLOAT] * 2
    large = [i for i in graph.initializer if len(i.raw_data) > 1000]
    assert large
    assert {i.data_type for i in large} == {onnx.TensorProto.FLOAT16}


def test_int8_is_signed_qdq_per_channel(models):
    graph = models["onnx-int8"].graph
    weights = {i.name: i for i in graph.initializer}
    kinds = {node.op_type for node in graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    assert not kinds & {"ConvInteger", "DynamicQuantizeLinear", "MatMulInteger"}
    large = [i for i in weights.values() if len(i.dims) > 1]
    assert {i.data_type for i in large} == {onnx.TensorProto.INT8}
    first = next(i for i in large if list(i.dims) == [32, 32, 5, 5])
    node = next(n for n in graph.node if n.input and n.input[0] == first.name)
    assert list(weights[node.input[1]].dims) == [32]


def test_the_operator_set_is_that_of_2022(models):
    for model in models.values():
        assert {o.domain: o.version for o in model.opset_import}[""] == 17


def test_files_shrink_with_their_weights(exports):
    sizes = {name: path.stat().st_size for name, path in exports.items()}
    assert sizes["onnx"] == pytest.approx(4 * 887_530, rel=0.02)
    assert sizes["onnx-float16"] == pytest.approx(2 * 887_530, rel=0.02)
    assert sizes["onnx-int8"] == pytest.approx(887_530, rel=0.1)


@pytest.mark.parametrize(("images", "size"), [(128, 64), (130, 26), (127, 1), (5, 5), (512, 64)])
def test_calibration_is_read_in_batches_of_one_size(rng, images, size):
    batch = rng.random((images, 2, 2, 1))
    reader = _Reader(batch)
    read = []
    while (found := reader.get_next()) is not None:
        read.append(found["image"])
    assert {len(part) for part in read} == {size}
    assert np.array_equal(np.concatenate(read), batch)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("onnx-float16", "onnxruntime.transformers.float16.convert_float_to_float16"),
        ("onnx-int8", "onnxruntime.quantization.quantize_static"),
    ],
)
def test_a_failure_of_a_tool_is_one_error(trained, tmp_path, monkeypatch, name, target):
    from toolkit.export.request import ExportOptions, build_request

    def broken(*arguments, **options):
        raise AssertionError("something inside")

    options = ExportOptions((), tmp_path / "out")
    request = build_request(trained, options, calibrate=True)
    monkeypatch.setattr(target, broken)
    with pytest.raises(ExportError, match=f"format {name}: something inside"):
        registry()[name]().export(replace(request))
    assert not (tmp_path / "out").exists()
