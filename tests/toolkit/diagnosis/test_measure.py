"""The layer that is at fault is named first: files damaged on purpose."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exporters.formats import registry
from exporters.quantization_options import QuantizationOptions
from runtime.errors import ArtifactError, InputError
from runtime.modelfile import artifact as artifacts
from toolkit.datasets import DataOptions
from toolkit.diagnosis import Diagnosis, diagnose
from toolkit.diagnosis.figures import plot_diagnosis
from toolkit.diagnosis.file import DiagnoseOptions, diagnose_file
from toolkit.export.request import ExportOptions, build_request
from toolkit.inspection import view
from toolkit.trained_model import Overrides, resolve

CONV, DEPTHWISE, DENSE, POOL, RESHAPE = 3, 4, 9, 17, 22  # BuiltinOperator of the TFLite schema
INT8 = ("tflite-int8", "onnx-int8")
DAMAGES = ("noise", "byte", "bias", "scale")


def damaged_tflite(payload, layer, how, rng):
    """Return a file with one convolution or dense layer damaged, counted from 0."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(payload, 0)
    graph = model.subgraphs[0]

    def kind(operator):
        code = model.operatorCodes[operator.opcodeIndex]
        return max(code.builtinCode, code.deprecatedBuiltinCode)

    def rescale(tensor):
        """Shrink an output's scale, and that of pooling and reshaping, which must be the same."""
        quantization = graph.tensors[tensor].quantization
        quantization.scale = np.asarray(quantization.scale) / np.float32(4)
        for operator in graph.operators:
            if tensor in operator.inputs and kind(operator) in (POOL, RESHAPE):
                rescale(operator.outputs[0])

    heavy = [o for o in graph.operators if kind(o) in (CONV, DEPTHWISE, DENSE)]
    operator = heavy[layer]
    weights, bias = (model.buffers[graph.tensors[i].buffer] for i in operator.inputs[1:3])
    if how == "scale":
        rescale(operator.outputs[0])
    elif how == "bias":
        values = np.asarray(bias.data).view(np.int32)
        bias.data = (values + np.abs(values).max()).astype(np.int32).view(np.uint8)
    else:
        weights.data = damaged(np.array(weights.data).view(np.int8), how, rng).view(np.uint8)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def damaged_onnx(payload, layer, how, rng):
    """The same for a QDQ graph."""
    import onnx

    helper = onnx.numpy_helper
    model = onnx.load_model_from_string(payload)
    makers = {out: node for node in model.graph.node for out in node.output}
    heavy = [n for n in model.graph.node if n.op_type in ("Conv", "Gemm", "MatMul")]
    node = heavy[layer]

    def change(name, values_of):
        (weights,) = [i for i in model.graph.initializer if i.name == name]
        weights.CopyFrom(helper.from_array(values_of(helper.to_array(weights).copy()), name))

    if how == "scale":
        (first,) = [
            n
            for n in model.graph.node
            if n.op_type == "QuantizeLinear" and n.input[0] == node.output[0]
        ]
        change(first.input[1], lambda scale: scale / np.float32(4))
    elif how == "bias":
        name = makers[node.input[2]].input[0]
        change(name, lambda values: (values + np.abs(values).max()).astype(np.int32))
    else:
        change(makers[node.input[1]].input[0], lambda values: damaged(values, how, rng))
    return model.SerializeToString()


def damaged(weights, how, rng):
    flat = weights.reshape(-1)
    if how == "noise":
        flat[:] = rng.integers(-127, 128, flat.size)
    else:
        flat.view(np.uint8)[rng.integers(flat.size)] ^= 0x80
    return weights


DAMAGE = {"tflite-int8": damaged_tflite, "onnx-int8": damaged_onnx}


class Case:
    """A network: its float graphs, its int8 files and images, all in memory."""

    def __init__(self, trained, files=None):
        self.trained = trained
        self.request = build_request(trained, ExportOptions(()), calibrate=True)
        self.files = {name: (files or {}).get(name) or self.draft(name) for name in INT8}
        self.batch = trained.spec.apply(trained.dataset.x_train[:24])

    def draft(self, name, **quantization):
        request = replace(self.request, quantization=QuantizationOptions(**quantization))
        return registry()[name]().draft(request).data

    def diagnose(self, payload, suffix) -> Diagnosis:
        original = self.trained.graphs.to_bytes(suffix)
        return diagnose(view(payload, suffix), view(original, suffix), self.batch)


@pytest.fixture(scope="module")
def digits_case(trained, exports):
    return Case(trained, {name: artifacts.read(exports[name]).data for name in INT8})


@pytest.fixture(scope="module")
def colors(rgb_model):
    """A network with batch norm, ReLU6 and a depthwise convolution."""
    data = DataOptions(path=rgb_model / "colors.npz")
    return Case(resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0)))


def suffix_of(name):
    return "." + name.split("-")[0]


HEAVY = ["conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "dense", "probabilities"]


@pytest.mark.parametrize("name", INT8)
@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("layer", [0, 1, 2, 4])
def test_the_damaged_layer_is_named_first(digits_case, rng, name, how, layer):
    payload = DAMAGE[name](digits_case.files[name], layer, how, rng)
    found = digits_case.diagnose(payload, suffix_of(name))
    assert found.worst.name == HEAVY[layer]
    assert found.worst.remark
    assert [one.name for one in found.layers if one.wrong] == [HEAVY[layer]]
    assert found.notes == ()


@pytest.mark.parametrize("name", INT8)
@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_damaged_layer_of_a_depthwise_network_is_named_first(colors, rng, name, how, layer):
    payload = DAMAGE[name](colors.files[name], layer, how, rng)
    found = colors.diagnose(payload, suffix_of(name))
    heavy = [one.name for one in colors.trained.source.model.layers if "conv2d" in one.name]
    assert found.worst.name == heavy[layer]
    assert found.worst.remark


@pytest.mark.parametrize("name", INT8)
def test_noise_spoils_the_layers_behind_only_in_the_whole_file(digits_case, rng, name):
    before = digits_case.diagnose(digits_case.files[name], suffix_of(name)).in_order
    payload = DAMAGE[name](digits_case.files[name], 1, "noise", rng)
    after = digits_case.diagnose(payload, suffix_of(name)).in_order
    for old, new in zip(before, after, strict=True):
        if new.name != "conv2d_1":
            assert new.own_sqnr == old.own_sqnr
        if new.name in ("conv2d_2", "conv2d_3"):
            assert new.sqnr < 10 < old.sqnr
            assert new.cosine < old.cosine


@pytest.mark.parametrize("name", INT8)
def test_the_cause_is_reported(digits_case, rng, name):
    clipped = digits_case.diagnose(
        DAMAGE[name](digits_case.files[name], 1, "scale", rng), suffix_of(name)
    )
    assert "of its values are clipped" in clipped.worst.remark
    assert clipped.worst.saturated > 0.001
    assert clipped.worst.range_use == pytest.approx(1.0)
    byte = digits_case.diagnose(
        DAMAGE[name](digits_case.files[name], 1, "byte", rng), suffix_of(name)
    )
    assert byte.worst.remark == "1 of 25,600 weights is not the Keras model's"
    bias = digits_case.diagnose(
        DAMAGE[name](digits_case.files[name], 1, "bias", rng), suffix_of(name)
    )
    assert "biases are not the Keras model's" in bias.worst.remark


@pytest.mark.parametrize("name", INT8)
def test_a_good_file_has_no_layer_that_stands_out(digits_case, name):
    found = digits_case.diagnose(digits_case.files[name], suffix_of(name))
    assert not any(layer.wrong for layer in found.layers)
    assert found.notes == ()
    assert found.worst.own_sqnr > 25
    assert not found.is_exact
    assert sorted(layer.own_sqnr for layer in found.layers) == [
        one.own_sqnr for one in found.layers
    ]
    assert [layer.position for layer in found.in_order] == list(range(len(found.layers)))


@pytest.mark.parametrize("name", INT8)
def test_noise_images_at_calibration_are_reported(digits_case, name):
    calibration = digits_case.request.calibration
    dark = replace(calibration, batch=calibration.batch * np.float32(0.1))
    request = replace(digits_case.request, calibration=dark)
    found = digits_case.diagnose(registry()[name]().draft(request).data, suffix_of(name))
    assert "clipped at the input" in found.notes[0]
    assert sum("of its values are clipped: calibration" in one.remark for one in found.layers) > 3


@pytest.mark.parametrize("name", INT8)
def test_channels_that_differ_and_share_a_scale_are_reported(rgb_model, name):
    """One channel a hundred times larger: harmless per channel, a loss per tensor."""
    data = DataOptions(path=rgb_model / "colors.npz")
    trained = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    (layer,) = [one for one in trained.source.model.layers if "depthwise" in one.name]
    weights, bias = layer.get_weights()
    weights[:, :, 0] *= 100
    layer.set_weights([weights, bias])
    case = Case(trained, dict.fromkeys(INT8, b"not needed"))
    shared = case.diagnose(case.draft(name, per_channel=False), suffix_of(name))
    (found,) = [one for one in shared.layers if one.name == layer.name]
    assert "differ by a factor of" in found.remark
    assert "share one scale" in found.remark
    single = case.diagnose(case.draft(name), suffix_of(name))
    assert not any("share one scale" in one.remark for one in single.layers)


@pytest.mark.parametrize("name", ["tflite", "onnx", "tflite-float16"])
def test_a_float_file_has_nothing_to_diagnose(digits_case, exports, name):
    found = digits_case.diagnose(artifacts.read(exports[name]).data, exports[name].suffix)
    assert found.is_exact
    assert all(layer.is_float for layer in found.layers)
    json.dumps(found.to_json(), allow_nan=False)


def test_dynamic_range_has_no_ranges_but_noise(digits_case, exports):
    found = digits_case.diagnose(artifacts.read(exports["tflite-dynamic"]).data, ".tflite")
    assert 20 < found.worst.own_sqnr < 60
    assert found.worst.range_use is None
    assert found.worst.saturated is None


@pytest.mark.parametrize("name", ["tflite", "onnx", "tflite-int8", "onnx-int8"])
def test_the_same_network_of_another_training_is_reported(digits_run, exports, tmp_path, name):
    import keras

    keras.utils.set_random_seed(99)
    model = keras.models.clone_model(keras.models.load_model(digits_run.model))
    model.save(tmp_path / "other.keras")
    other = resolve(tmp_path / "other.keras", DataOptions(name="digits"))
    found = diagnose_file(other, exports[name], DiagnoseOptions(images=4)).found
    assert "are not those of the Keras model" in found.notes[0]


def test_another_network_is_refused(colors, digits_case):
    with pytest.raises(ArtifactError, match="not those of the Keras model"):
        colors.diagnose(digits_case.files["tflite-int8"], ".tflite")


def test_images_are_needed(trained, digits_case):
    inside = view(digits_case.files["tflite-int8"], ".tflite")
    with pytest.raises(InputError, match="at least one image"):
        diagnose(inside, inside, digits_case.batch[:0])


@pytest.mark.parametrize(("images", "seed"), [(0, 0), (1, -1)])
def test_bad_options_are_refused(images, seed):
    with pytest.raises(InputError, match=r"must (not )?be"):
        DiagnoseOptions(images, seed)


def test_many_images_are_run_in_parts_with_the_same_result(trained, exports, monkeypatch):
    from toolkit.diagnosis import measure

    whole = diagnose_file(trained, exports["onnx-int8"], DiagnoseOptions(20)).found
    monkeypatch.setattr(measure, "_MEMORY", 1)  # one image at a time
    parts = diagnose_file(trained, exports["onnx-int8"], DiagnoseOptions(20)).found
    for one, other in zip(whole.in_order, parts.in_order, strict=True):
        assert one.own_sqnr == pytest.approx(other.own_sqnr, abs=1e-6)
        assert one.saturated == other.saturated


def test_a_plot_is_drawn(digits_case, tmp_path):
    found = digits_case.diagnose(digits_case.files["onnx-int8"], ".onnx")
    plot_diagnosis(found, "digits", tmp_path / "new" / "layers.png")
    from PIL import Image

    with Image.open(Path(tmp_path / "new" / "layers.png")) as image:
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(1 << 24)) > 10
