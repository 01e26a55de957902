"""The Keras model: loaded safely, checked, run as the reference."""

import hashlib
import zipfile

import numpy as np
import pytest

from exporters.keras_model.source import load_keras
from exporters.keras_model.tensorflow_setup import import_tensorflow
from runtime.errors import ExportError, InputError


@pytest.fixture(scope="module")
def keras():
    import_tensorflow()
    import keras

    return keras


@pytest.fixture
def save(keras, tmp_path):
    def _save(*layers, shape=(8, 8, 1)):
        path = tmp_path / "model.keras"
        keras.Sequential([keras.Input(shape), *layers]).save(path)
        return path

    return _save


@pytest.fixture
def classify(keras):
    """The last layers of a classifier of three classes."""
    return keras.layers.Flatten(), keras.layers.Dense(3)


def test_a_model_is_described(save, keras, classify):
    path = save(*classify, keras.layers.Softmax())
    source = load_keras(path)
    assert source.image_shape == (8, 8, 1)
    assert source.classes == 3
    assert source.scores == "probabilities"
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_logits_are_recognised_and_turned_into_probabilities(save, classify, rng):
    source = load_keras(save(*classify))
    assert source.scores == "logits"
    answers = source.predict(rng.random((1100, 8, 8, 1), dtype=np.float32))
    assert answers.shape == (1100, 3)
    assert answers.dtype == np.float32
    assert answers.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_the_reference_is_what_keras_predicts(save, keras, classify, rng):
    path = save(*classify, keras.layers.Softmax())
    batch = rng.random((10, 8, 8, 1), dtype=np.float32)
    expected = keras.models.load_model(path).predict(batch, verbose=0)
    assert np.allclose(load_keras(path).predict(batch), expected, atol=1e-6)


def test_a_lambda_layer_is_refused_and_not_run(save, keras, classify):
    path = save(keras.layers.Lambda(lambda x: x / 255.0), *classify)
    with pytest.raises(ExportError, match=r"Lambda layer.*keras\.layers\.Rescaling"):
        load_keras(path)


def test_a_class_of_the_users_own_is_refused_by_name(save, keras, classify):
    class Mine(keras.layers.Layer):
        def call(self, inputs):
            return inputs * 2

    path = save(Mine(), *classify)
    with pytest.raises(ExportError, match=r"uses Mine, which Keras does not know"):
        load_keras(path)


@pytest.mark.parametrize("name", ["model.h5", "saved_model", "model.onnx"])
def test_other_files_are_refused_with_the_way_to_save(tmp_path, name):
    with pytest.raises(InputError, match=r"is no \.keras file; .*model\.save\('model\.keras'\)"):
        load_keras(tmp_path / name)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no such file: .*gone\.keras"):
        load_keras(tmp_path / "gone.keras")


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_a_broken_file_is_refused_in_one_line(tmp_path, save, classify, content):
    path = save(*classify)
    path.write_bytes(path.read_bytes()[:500] if content is None else content)
    with pytest.raises(InputError, match=r"model\.keras is damaged, or no Keras file"):
        load_keras(path)


def test_another_zip_archive_is_refused_in_one_line(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ExportError, match=r"model\.keras cannot be loaded by Keras") as raised:
        load_keras(path)
    assert "\n" not in str(raised.value)


def two_inputs(keras):
    first, second = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    joined = keras.layers.Flatten()(keras.layers.Add()([first, second]))
    return keras.Model([first, second], keras.layers.Dense(3)(joined))


def two_outputs(keras):
    image = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(image)
    return keras.Model(image, [keras.layers.Dense(3)(flat), keras.layers.Dense(2)(flat)])


def chain(keras, shape, *layers):
    return keras.Sequential([keras.Input(shape), *layers])


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (two_inputs, "one input and one output"),
        (two_outputs, "one input and one output"),
        (lambda k: chain(k, (64,), k.layers.Dense(3)), r"its input is \(None, 64\)"),
        (lambda k: chain(k, (8, 8, 2), k.layers.Flatten(), k.layers.Dense(3)), "1 or 3"),
        (
            lambda k: chain(k, (None, None, 1), k.layers.GlobalAveragePooling2D()),
            "fixed height and width",
        ),
        (lambda k: chain(k, (8, 8, 1), k.layers.Conv2D(3, 3)), r"its output is \(None, 6, 6, 3\)"),
        (
            lambda k: chain(k, (8, 8, 1), k.layers.Flatten(), k.layers.Dense(1)),
            "classes >= 2",
        ),
    ],
)
def test_what_is_no_image_classifier_is_refused(keras, tmp_path, build, words):
    path = tmp_path / "model.keras"
    build(keras).save(path)
    with pytest.raises(InputError, match=words):
        load_keras(path)
