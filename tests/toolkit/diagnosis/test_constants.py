"""The audit of constants: silent on every correct file, loud on one wrong weight."""

import numpy as np
import pytest

from exporters.formats import registry
from exporters.tflite.graph import pack, parse
from runtime.modelfile import artifact as artifacts
from toolkit.diagnosis.constants import changed
from toolkit.inspection import view
from toolkit.parity import Reference
from toolkit.parity.breaking import flip_weight_byte

FORMATS = list(registry())


@pytest.fixture(scope="module")
def reference(trained):
    return Reference.of(trained)


@pytest.mark.parametrize("name", FORMATS)
def test_a_correct_file_has_no_finding(exports, reference, name):
    file = artifacts.read(exports[name])
    assert changed(view(file.data, file.suffix), reference.float_view(file.suffix)) == ()


@pytest.mark.parametrize("name", FORMATS)
def test_one_flipped_byte_is_found_in_its_layer(exports, reference, name):
    file = artifacts.read(exports[name])
    broken = flip_weight_byte(artifacts.payload(file), file.suffix)
    (text,) = changed(view(broken, file.suffix), reference.float_view(file.suffix))
    assert text.startswith("layer conv2d: 1 of 800 weights is not the Keras model's")


@pytest.fixture(scope="module")
def folded(rgb_model, tmp_path_factory):
    """A model with batch norm and depthwise layers in every format, and its reference."""
    from toolkit.datasets import DataOptions
    from toolkit.export.export import export
    from toolkit.export.request import ExportOptions
    from toolkit.trained_model import Overrides, resolve

    data = DataOptions(path=rgb_model / "colors.npz")
    trained = resolve(rgb_model / "colors.keras", data, Overrides(scale=1.0))
    out = tmp_path_factory.mktemp("folded")
    found = export(trained, ExportOptions((), out=out))
    return [one.artifact for one in found if not one.error], Reference.of(trained)


def test_folded_batch_norm_and_depthwise_layers_are_no_finding(folded):
    files, reference = folded
    assert len(files) >= 6
    for file in files:
        found = changed(view(file.data, file.suffix), reference.float_view(file.suffix))
        assert found == (), file.path.name


def tflite(exports, change):
    """Return the int8 file with its last dense layer's constants changed."""
    model = parse(artifacts.payload(artifacts.read(exports["tflite-int8"])))
    graph = model.subgraphs[0]
    dense = [o for o in graph.operators if len(o.inputs) == 3][-1]
    change(model, [graph.tensors[i] for i in dense.inputs])
    return view(pack(model), ".tflite")


def test_the_least_change_of_a_weight_is_found(exports, reference):
    """One int8 weight, two steps."""

    def change(model, tensors):
        weights = np.array(model.buffers[tensors[1].buffer].data, np.uint8)
        weights.view(np.int8)[70] += 2 if weights.view(np.int8)[70] < 100 else -2
        model.buffers[tensors[1].buffer].data = weights

    (text,) = changed(tflite(exports, change), reference.float_view(".tflite"))
    assert "1 of 2,560 weights is not" in text


def test_a_bias_is_found(exports, reference):
    def change(model, tensors):
        bias = np.array(model.buffers[tensors[2].buffer].data, np.uint8)
        bias.view(np.int32)[3] += 20_000
        model.buffers[tensors[2].buffer].data = bias

    (text,) = changed(tflite(exports, change), reference.float_view(".tflite"))
    assert "1 of 10 biases is not" in text


def test_a_weight_scale_is_found_although_it_changes_many_weights(exports, reference):
    def change(_model, tensors):
        tensors[1].quantization.scale = np.array(tensors[1].quantization.scale) * 1.05

    found = changed(tflite(exports, change), reference.float_view(".tflite"))
    assert any("weights are not the Keras model's" in text for text in found)


def test_the_same_network_after_another_training_is_reported_in_one_sentence(exports, trained):
    import keras

    from exporters.graphs import FloatGraphs
    from exporters.keras_model.source import KerasSource
    from toolkit.inspection.float_view import float_view

    keras.utils.set_random_seed(5)
    other = KerasSource(
        keras.models.clone_model(trained.source.model), trained.source.path, trained.source.sha256
    )
    file = artifacts.read(exports["tflite"])
    (text,) = changed(view(file.data, ".tflite"), float_view(FloatGraphs(other), ".tflite"))
    assert text.startswith("the weights of 6 of 6 layers are not those of the Keras model")
