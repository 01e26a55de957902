"""The ONNX graph: clean names, a free batch, no needless Transpose, same answers."""

from types import SimpleNamespace

import numpy as np
import pytest

from exporters.keras_model.source import KerasSource
from exporters.keras_model.tensorflow_setup import import_tensorflow
from exporters.onnx import graph as onnx_graph
from runtime.errors import ExportError


@pytest.fixture(scope="module")
def keras():
    import_tensorflow()
    import keras

    return keras


def networks(keras):
    layers = keras.layers
    return {
        "convolution and dense": [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)],
        "pooling and two dense": [
            layers.Conv2D(4, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(6, activation="relu"),
            layers.Dense(3, activation="softmax"),
        ],
        "no convolution": [layers.Flatten(), layers.Dense(3)],
        "global pooling": [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)],
        "one channel before the dense layer": [
            layers.Conv2D(1, 3),
            layers.Flatten(),
            layers.Dense(3),
        ],
    }


NAMES = (
    "convolution and dense",
    "pooling and two dense",
    "no convolution",
    "global pooling",
    "one channel before the dense layer",
)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_the_graph_answers_as_keras_does(keras, name, channels, rng, tmp_path):
    import onnxruntime

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((9, 7, channels)), *networks(keras)[name]])
    graph = onnx_graph.convert(KerasSource(model, tmp_path / "x.keras", ""))
    batch = rng.random((5, 9, 7, channels), dtype=np.float32)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (answers,) = session.run(["scores"], {"image": batch})
    assert np.allclose(answers, np.asarray(model(batch, training=False)), atol=1e-5)
    transposes = [node for node in graph.graph.node if node.op_type == "Transpose"]
    assert len(transposes) <= (channels == 3)


def test_two_dense_layers_on_one_flattened_tensor_stay_right(keras, rng, tmp_path):
    """The weights of a shared tensor must not be reordered for one user only."""
    import onnxruntime

    image = keras.Input((6, 6, 1))
    flat = keras.layers.Flatten()(keras.layers.Conv2D(3, 3)(image))
    both = keras.layers.Concatenate()([keras.layers.Dense(2)(flat), keras.layers.Dense(3)(flat)])
    model = keras.Model(image, both)
    graph = onnx_graph.convert(KerasSource(model, tmp_path / "x.keras", ""))
    batch = rng.random((4, 6, 6, 1), dtype=np.float32)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (answers,) = session.run(None, {"image": batch})
    assert np.allclose(answers, np.asarray(model(batch)), atol=1e-5)


def test_names_and_batch_are_plain(keras, tmp_path):
    model = keras.Sequential([keras.Input((5, 5, 1)), *networks(keras)["no convolution"]])
    graph = onnx_graph.convert(KerasSource(model, tmp_path / "x.keras", "")).graph
    assert [value.name for value in graph.input] == ["image"]
    assert [value.name for value in graph.output] == ["scores"]
    for value in (graph.input[0], graph.output[0]):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_operators_of_another_domain_are_refused():
    import onnx

    node = onnx.helper.make_node("Gelu", ["x"], ["y"], domain="com.example")
    value = [
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 2]) for n in ("x", "y")
    ]
    graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("com.example", 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    with pytest.raises(ExportError, match=r"operators of com\.example"):
        onnx_graph.check(onnx, model)


def test_a_graph_that_the_checker_refuses_is_refused():
    import onnx

    with pytest.raises(ExportError, match="the ONNX checker rejects the graph"):
        onnx_graph.check(onnx, onnx.ModelProto())


def test_a_failure_of_the_converter_is_one_error(keras, monkeypatch, tmp_path):
    import tf2onnx

    def broken(*arguments, **options):
        raise KeyError("keras_tensor_1")

    monkeypatch.setattr(tf2onnx.convert, "from_function", broken)
    source = SimpleNamespace(image_shape=(5, 5, 1), path=tmp_path / "x.keras", model=None)
    with pytest.raises(ExportError, match=r"tf2onnx cannot convert x\.keras"):
        onnx_graph.convert(source)
