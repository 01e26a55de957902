"""What is particular to TFLite."""

from types import SimpleNamespace

import numpy as np
import pytest

from exporters.formats import registry, tflite
from exporters.keras_model.source import KerasSource
from exporters.keras_model.tensorflow_setup import import_tensorflow
from exporters.tflite import graph as tflite_graph
from runtime.errors import ExportError
from runtime.modelfile import artifact as artifacts


@pytest.fixture(scope="module")
def keras():
    import_tensorflow()
    import keras

    return keras


def test_a_file_without_its_weights_is_refused():
    """from_concrete_functions of a wrapped model has written such files."""
    source = SimpleNamespace(model=SimpleNamespace(count_params=lambda: 887_530))
    with pytest.raises(ExportError, match="wrote 8,000 bytes for 887,530 weights"):
        tflite_graph._check_weights(bytes(8000), source)


def test_an_operator_that_needs_flex_is_refused(keras, tmp_path):
    layers = keras.layers

    class Odd(layers.Layer):
        def call(self, inputs):
            import tensorflow as tf

            return tf.math.digamma(inputs + 2.0)

    model = keras.Sequential([keras.Input((4, 4, 1)), Odd(), layers.Flatten(), layers.Dense(2)])
    source = KerasSource(model, tmp_path / "odd.keras", "")
    with pytest.raises(ExportError, match="format tflite: the model needs Digamma, which plain"):
        tflite_graph.convert(source, "tflite")


def test_a_custom_operator_is_refused():
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder

    code = schema.OperatorCodeT()
    code.deprecatedBuiltinCode = code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"FlexLgamma"
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [], []
    builder = Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(ExportError, match=r"needs the operator b?'FlexLgamma'"):
        tflite_graph.operators(bytes(builder.Output()), "tflite")


def test_operators_are_listed_with_their_versions(exports):
    operators = artifacts.read(exports["tflite"]).manifest.requirements.operators
    assert {"CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "SOFTMAX"} <= set(operators)
    assert all(number >= 1 for number in operators.values())


def test_files_shrink_with_their_weights(exports):
    sizes = {name: path.stat().st_size for name, path in exports.items()}
    parameters = 887_530
    assert sizes["tflite"] == pytest.approx(4 * parameters, rel=0.02)
    assert sizes["tflite-float16"] == pytest.approx(2 * parameters, rel=0.02)
    for name in ("tflite-int8", "tflite-dynamic", "tflite-int16x8"):
        assert sizes[name] == pytest.approx(parameters, rel=0.03)


def test_weights_of_int8_are_quantized_per_channel(exports):
    from ai_edge_litert import schema_py_generated as schema

    data = exports["tflite-int8"].read_bytes()
    (graph,) = schema.ModelT.InitFromPackedBuf(data, 0).subgraphs
    kernels = [t for t in graph.tensors if t.shape is not None and list(t.shape)[1:] == [5, 5, 32]]
    assert len(kernels) == 1
    assert len(kernels[0].quantization.scale) == 32
    assert np.all(np.asarray(kernels[0].quantization.zeroPoint) == 0)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", "ValueError"),
        ("first\nsecond", "first"),
        ("error: 'tf.B' op is neither\n'tf.A' op is neither", "the model needs A, B, which"),
        ("noise\nloc(x): error: no such thing\nmore", "loc(x): error:"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_the_cause_in_a_long_message_is_shown(message, expected):
    assert tflite_graph._reason(ValueError(message)).startswith(expected)
    assert len(tflite_graph._reason(ValueError(message))) <= 300


def test_calibration_images_are_read_one_by_one(rng):
    batch = rng.random((3, 2, 2, 1), dtype=np.float32)
    read = list(tflite._representative_dataset(batch)())
    assert [image.shape for (image,) in read] == [(1, 2, 2, 1)] * 3
    assert np.array_equal(np.concatenate([image for (image,) in read]), batch)


def test_other_calibration_images_give_other_scales(trained, exports, tmp_path):
    from exporters.calibration import CalibrationOptions
    from toolkit.export.request import ExportOptions, build_request

    options = ExportOptions((), tmp_path, CalibrationOptions(3))
    request = build_request(trained, options, calibrate=True)
    file = registry()["tflite-int8"]().draft(request).data
    assert file != exports["tflite-int8"].read_bytes()[: len(file)]


@pytest.mark.parametrize("name", ["tflite-int8", "tflite-int16x8"])
def test_each_calibration_image_is_run_once(trained, tmp_path, monkeypatch, name):
    from exporters.calibration import CalibrationOptions
    from toolkit.export.request import ExportOptions, build_request

    seen, dataset = [], tflite._representative_dataset

    def counted(batch):
        def samples():
            for images in dataset(batch)():
                seen.append(len(images[0]))
                yield images

        return samples

    monkeypatch.setattr(tflite, "_representative_dataset", counted)
    options = ExportOptions((), tmp_path, CalibrationOptions(4))
    registry()[name]().draft(build_request(trained, options, calibrate=True))
    assert sum(seen) in (4, 5)  # the converter looks at the first one to see its type
