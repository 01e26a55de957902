"""What is inside a model file, for every format and both kinds of network."""

from dataclasses import replace

import numpy as np
import pytest

from exporters.formats import registry
from exporters.quantization_options import QuantizationOptions
from runtime.backends import for_suffix
from runtime.errors import ArtifactError, InputError
from runtime.modelfile import artifact as artifacts
from toolkit.datasets import DataOptions
from toolkit.export.request import ExportOptions, build_request
from toolkit.inspection import INPUT, view
from toolkit.inspection.alignment import align
from toolkit.trained_model import Overrides, resolve

FORMATS = [name for name in registry() if name.startswith(("tflite", "onnx"))]
QUANTIZED = ["tflite-int8", "tflite-int16x8", "onnx-int8"]
HEAVY = ["conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "dense", "probabilities"]


def draft(request, name, **quantization):
    options = QuantizationOptions(**quantization)
    exporter = registry()[name]()
    return view(exporter.draft(replace(request, quantization=options)).data, exporter.suffix)


def float_view(graphs, suffix):
    return view(graphs.to_bytes(suffix), suffix)


@pytest.fixture(scope="module")
def files(exports):
    return {name: artifacts.read(path) for name, path in exports.items()}


@pytest.fixture(scope="module")
def batch(trained):
    return trained.spec.apply(trained.dataset.x_train[:6])


@pytest.fixture(scope="module")
def colors(rgb_model):
    """A network with batch norm, ReLU6 and a depthwise convolution."""
    data = DataOptions(path=rgb_model / "colors.npz")
    trained = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    return build_request(trained, ExportOptions(()), calibrate=True)


@pytest.fixture(scope="module")
def residual():
    """A layer with two inputs."""
    import keras
    from keras import layers

    from exporters.graphs import FloatGraphs
    from exporters.keras_model.source import KerasSource

    image = keras.Input((8, 8, 1), name="image")
    left = layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(image)
    right = layers.Conv2D(4, 1, name="right")(left)
    both = layers.ReLU(name="both_relu")(layers.Add(name="both")([left, right]))
    scores = layers.Dense(3, name="scores")(layers.GlobalAveragePooling2D(name="pool")(both))
    model = keras.Model(image, scores, name="residual")
    return FloatGraphs(KerasSource(model, "residual.keras", "0"))


def depthwise_of(model):
    """Keras numbers its layers within the process, so the name depends on other tests."""
    (layer,) = [one for one in model.layers if "depthwise" in one.name]
    return layer


@pytest.mark.parametrize("name", FORMATS)
def test_layers_carry_the_names_of_keras(files, name):
    inside = view(files[name].data, files[name].suffix)
    names = [layer.name for layer in inside.layers]
    assert len(set(names)) == len(names)
    assert [kernel.layer for kernel in inside.kernels()] == HEAVY
    assert all(inside.layer(layer.key) is layer for layer in inside.layers)
    assert inside.layers[0].inputs == (INPUT,)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_aligns_with_the_float_graph(trained, files, name):
    inside = view(files[name].data, files[name].suffix)
    reference, pairs = align(inside, float_view(trained.graphs, files[name].suffix))
    assert all(layer.is_float and layer.bits == 32 for layer in reference.layers)
    assert [mine.name for mine, _ in pairs] == [layer.name for layer in inside.layers]
    heavy = [(mine.name, theirs.name) for mine, theirs in pairs if mine.name in HEAVY]
    assert heavy == [(layer, layer) for layer in HEAVY]


@pytest.mark.parametrize("name", FORMATS)
def test_the_whole_graph_answers_as_its_engine_does(files, batch, name):
    inside = view(files[name].data, files[name].suffix)
    found = inside.activations(batch)
    assert list(found) == [layer.key for layer in inside.layers]
    with for_suffix(files[name].suffix)[0](files[name]) as backend:
        expected = backend.run(batch)
    last = found[inside.layers[-1].key]
    assert last.dtype == np.float32
    held = inside.output_range(inside.layers[-1])
    assert np.abs(last - expected).max() <= (1.01 * held.step if held else 2e-3)


@pytest.mark.parametrize("name", FORMATS)
def test_a_layer_alone_gives_what_it_gives_in_the_whole_graph(files, batch, name):
    inside = view(files[name].data, files[name].suffix)
    found = inside.activations(batch)
    for layer in inside.layers:
        inputs = [batch if key == INPUT else found[key] for key in layer.inputs]
        alone, held = inside.run_layer(layer, inputs), inside.output_range(layer)
        allowed = 1.01 * held.step if held else 2e-3 * max(1.0, np.abs(alone).max())
        assert np.abs(alone - found[layer.key]).max() <= allowed, layer.name


@pytest.mark.parametrize("name", FORMATS)
def test_kernels_are_those_of_keras(trained, files, name):
    for kernel in view(files[name].data, files[name].suffix).kernels():
        weights, bias = trained.source.model.get_layer(kernel.layer).get_weights()
        assert kernel.values.shape == weights.shape
        assert kernel.values.dtype == np.float32
        order = (lambda m: m) if kernel.keras_order else (lambda m: np.sort(m, axis=0))
        off = order(kernel.matrix) - order(weights.reshape(-1, weights.shape[-1]))
        assert (np.abs(off) <= 0.51 * kernel.step + 1e-3 * np.abs(weights).max()).all()
        assert np.allclose(kernel.bias, bias, atol=2e-3)
        assert (kernel.step > 0).all() == name.endswith(("int8", "int16x8")) or "dyn" in name


def test_only_the_rows_of_a_flattened_dense_layer_are_in_another_order_in_onnx(files):
    moved = {
        name: [
            k.layer
            for k in view(files[name].data, files[name].suffix).kernels()
            if not k.keras_order
        ]
        for name in ("tflite-int8", "onnx-int8", "onnx")
    }
    assert moved == {"tflite-int8": [], "onnx-int8": ["dense"], "onnx": ["dense"]}


@pytest.mark.parametrize("name", FORMATS)
def test_ranges_are_known_where_values_are_quantized(files, name):
    inside = view(files[name].data, files[name].suffix)
    held, inner = inside.input_range(), inside.output_range(inside.layer("conv2d_1"))
    if name not in QUANTIZED:
        assert held is None
        assert inner is None
        return
    assert held.high == pytest.approx(1.0, abs=0.01)
    assert inner.low <= 0.0 < inner.high
    assert inside.layer("conv2d_1").bits == (16 if "16" in name else 8)
    assert not inside.layer("conv2d_1").is_float
    assert inside.read_ranges(inside.layer("conv2d_2"))[0].high == inner.high


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
@pytest.mark.parametrize("per_channel", [True, False])
def test_a_depthwise_network_aligns_and_keeps_its_weights(colors, name, per_channel):
    inside = draft(colors, name, per_channel=per_channel)
    _, pairs = align(inside, float_view(colors.graphs, inside.suffix))
    assert len(pairs) == len(inside.layers)
    kernels = {kernel.kind: kernel for kernel in inside.kernels()}
    assert list(kernels) == ["conv", "depthwise", "dense"]
    weights, bias = depthwise_of(colors.source.model).get_weights()
    depthwise = kernels["depthwise"]
    assert depthwise.values.shape == weights.shape == (3, 3, 8, 1)
    assert (np.abs(depthwise.matrix - weights.reshape(9, 8)) <= 0.51 * depthwise.step + 1e-6).all()
    assert np.allclose(depthwise.bias, bias, atol=1e-3)
    assert (len(set(depthwise.step.tolist())) == 1) != per_channel


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
def test_layers_left_in_float_are_seen_as_such(colors, name):
    plain = draft(colors, name)
    chosen = plain.layer(depthwise_of(colors.source.model).name)
    mixed = draft(colors, name, float_layers=(chosen.key,))
    _, pairs = align(mixed, float_view(colors.graphs, mixed.suffix))
    kernels = {kernel.layer for kernel in mixed.kernels()}
    left = [mine.name for mine, _ in pairs if mine.is_float and mine.name in kernels]
    assert left == [chosen.name]
    (kernel,) = [k for k in mixed.kernels() if k.kind == "depthwise"]
    assert not kernel.step.any()


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_a_layer_with_two_inputs_runs_alone(residual, rng, suffix):
    inside = float_view(residual, suffix)
    batch = rng.random((3, 8, 8, 1), dtype=np.float32)
    found = inside.activations(batch)
    (both,) = [layer for layer in inside.layers if len(layer.inputs) == 2]
    alone = inside.run_layer(both, [found[key] for key in both.inputs])
    left, right = (found[key] for key in both.inputs)
    assert np.allclose(alone, np.maximum(left + right, 0), atol=1e-6)
    with pytest.raises(InputError, match="takes 2, not 1"):
        inside.run_layer(both, [left])


def test_int4_weights_are_read(trained, files, tmp_path):
    """Two weights a byte, as litert-quantizer writes them."""
    from litert_quantizer import quantizer, recipe

    (tmp_path / "float.tflite").write_bytes(trained.graphs.tflite)
    tool = quantizer.Quantizer(str(tmp_path / "float.tflite"))
    tool.load_quantization_recipe(recipe.dynamic_wi4_afp32())
    inside = view(bytes(tool.quantize().quantized_model), ".tflite")
    (kernel,) = [k for k in inside.kernels() if k.layer == "dense"]
    weights = trained.source.model.get_layer("dense").get_weights()[0]
    assert kernel.step.all()
    assert (np.abs(kernel.values - weights) <= 0.51 * kernel.step + 1e-6).all()


def test_another_suffix_is_refused():
    with pytest.raises(ArtifactError, match=r"no model file; known: \.onnx, \.tflite"):
        view(b"", ".keras")


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
@pytest.mark.parametrize("payload", [b"", b"no model at all", b"1234TFL3" + bytes(range(64))])
def test_garbage_is_refused_in_one_line(payload, suffix):
    with pytest.raises(ArtifactError):
        view(payload, suffix)


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
def test_another_network_does_not_align(files, colors, name):
    inside = view(files[name].data, files[name].suffix)
    with pytest.raises(ArtifactError, match="not those of the Keras model"):
        align(inside, float_view(colors.graphs, inside.suffix))


def test_two_formats_do_not_align(trained, files):
    with pytest.raises(ArtifactError, match=r"a \.onnx file is compared with a \.tflite one"):
        align(view(files["onnx"].data, ".onnx"), float_view(trained.graphs, ".tflite"))


def test_an_unknown_layer_is_refused(files):
    with pytest.raises(InputError, match="no layer 'conv9'; there are"):
        view(files["onnx"].data, ".onnx").layer("conv9")
