"""Which network a training starts from."""

from dataclasses import replace

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the workstation side is not installed")

from runtime.errors import InputError, UnknownNameError  # noqa: E402
from toolkit.training import model as networks  # noqa: E402
from toolkit.training.options import TrainOptions  # noqa: E402

BUILDERS = """
import keras
from keras import layers

def small(input_shape, classes):
    inputs = keras.Input(input_shape)
    x = layers.Flatten()(inputs)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))

def told(options, width=4):
    return small(options.input_shape, options.classes)

def wrong(input_shape, classes):
    return small((5, 5, 1), classes)

def broken(input_shape, classes):
    raise ZeroDivisionError("oops")

def nothing(input_shape, classes):
    return "a model"

def usual(input_shape=(28, 28, 1), classes=10):
    return small(input_shape, classes)

def odd(one, two, three):
    return None

def raw(input_shape, classes):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, layers.Dense(classes)(layers.Flatten()(inputs)))

class Mine(layers.Flatten):
    pass

def own(input_shape, classes):
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(Mine()(inputs)))

number = 3
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "my_nets.py").write_text(BUILDERS)
    monkeypatch.chdir(tmp_path)
    return "my_nets"


def options(**changes):
    return replace(TrainOptions(seed=5), **changes)


@pytest.mark.parametrize("function", ["small", "told", "usual"])
def test_a_builder_of_ones_own_is_called(package, digits, function):
    found = networks.build(options(architecture=f"{package}:{function}"), digits)
    assert found.short == function
    assert found.model.output_shape == (None, 10)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my_nets:wrong", r"built a model with input .*5, 5, 1.*needs one input \(None, 28, 28, 1"),
        ("my_nets:broken", "my_nets:broken failed: ZeroDivisionError: oops"),
        ("my_nets:nothing", "returned str, not a built keras.Model"),
        ("my_nets:number", "has no function 'number'"),
        ("my_nets:odd", r"must take \(input_shape, classes\) or one BuildOptions, not \(one, two"),
        ("my_nets:raw", "the last layer must have softmax"),
        ("my_nets:own", "is a Mine; only models of Keras's own layers"),
        ("my_nets:missing", "has no function 'missing'"),
        ("no_such_module:f", "no_such_module cannot be imported"),
    ],
)
def test_a_builder_that_does_not_work_is_one_line(package, digits, name, words):
    with pytest.raises(InputError, match=words) as raised:
        networks.build(options(architecture=name), digits)
    assert "\n" not in str(raised.value)


def test_an_unknown_architecture_is_told_the_nearest(digits):
    with pytest.raises(UnknownNameError, match="Did you mean 'tutorial-cnn'"):
        networks.build(options(architecture="tutorial-cn"), digits)


def test_the_same_seed_gives_the_same_weights(digits):
    first, second = (networks.build(options(), digits).model.get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    other = networks.build(options(seed=6), digits).model.get_weights()
    assert not np.array_equal(first[0], other[0])


def test_a_training_goes_on_from_the_weights_of_an_earlier_run(digits, digits_run):
    found = networks.build(options(start=str(digits_run.path), freeze=2), digits)
    before = keras.models.load_model(digits_run.model)
    for ours, theirs in zip(found.model.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    weighted = [layer for layer in found.model.layers if layer.weights]
    assert [layer.trainable for layer in weighted] == [False] * 2 + [True] * (len(weighted) - 2)
    same = networks.build(options(start=str(digits_run.model)), digits).model
    assert all(layer.trainable for layer in same.layers)


def test_other_classes_get_a_new_head_and_keep_the_rest(digits, digits_run):
    few = replace(
        digits,
        labels=("0", "1", "2"),
        y_train=digits.y_train % 3,
        y_test=digits.y_test % 3,
    )
    found = networks.build(options(start=str(digits_run.path)), few).model
    before = keras.models.load_model(digits_run.model)
    assert found.output_shape == (None, 3)
    np.testing.assert_array_equal(found.get_weights()[0], before.get_weights()[0])
    scores = np.asarray(found(np.zeros((2, 28, 28, 1), np.float32)))
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_frozen_layers_stay_and_others_learn(digits, digits_run, tmp_path):
    from toolkit.datasets import DataOptions
    from toolkit.progress import SILENT
    from toolkit.training.train import train

    changes = options(start=str(digits_run.path), freeze=2, epochs=1, limit=80)
    run = train(changes, DataOptions(name="digits"), tmp_path, SILENT).run
    after, before = (keras.models.load_model(one.model) for one in (run, digits_run))
    weighted = [layer.name for layer in before.layers if layer.weights]
    for place, name in enumerate(weighted):
        same = np.array_equal(
            after.get_layer(name).get_weights()[0], before.get_layer(name).get_weights()[0]
        )
        assert same is (place < 2)
    assert run.config["options"]["start"] == str(digits_run.path)


def test_the_same_number_of_other_classes_gets_a_new_head_too(digits, digits_run):
    clothes = replace(digits, labels=tuple("abcdefghij"))
    found = networks.build(options(start=str(digits_run.path)), clothes)
    before = keras.models.load_model(digits_run.model)
    heads = [model.layers[-1].get_weights()[0] for model in (found.model, before)]
    assert heads[0].shape == heads[1].shape
    assert not np.array_equal(*heads)
    assert found.short == "cnn"


def test_a_head_of_logits_is_replaced(rgb_model):
    from toolkit.datasets import DataOptions, load_dataset

    colors = load_dataset(DataOptions(path=rgb_model / "colors.npz"))
    found = networks.build(options(start=str(rgb_model / "colors.keras"), freeze=3), colors)
    assert found.short == "colors"
    scores = np.asarray(found.model(np.zeros((2, 32, 32, 3), np.float32)))
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    (norm,) = (one for one in found.model.layers if type(one).__name__ == "BatchNormalization")
    before = [weights.numpy() for weights in norm.weights]
    found.model(np.ones((2, 32, 32, 3), np.float32), training=True)
    for old, new in zip(before, norm.weights, strict=True):  # frozen: in inference mode
        np.testing.assert_array_equal(old, new.numpy())


def test_half_precision_keeps_weights_and_a_float32_output(digits, digits_run):
    found = networks.build(
        options(start=str(digits_run.path), precision="mixed_bfloat16"), digits
    ).model
    assert found.layers[0].compute_dtype == "bfloat16"
    assert found.layers[-1].compute_dtype == "float32"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "resnet20"}, "--architecture has no effect with --from"),
        ({"padding": "valid"}, "--padding has no effect with --from"),
        ({"start": "no/run"}, "no/run is not a finished run folder"),
        ({"start": "no.keras"}, "no such file"),
    ],
)
def test_a_start_that_cannot_be_is_refused(digits, digits_run, changes, words):
    with pytest.raises(InputError, match=words):
        networks.build(options(**({"start": str(digits_run.path)} | changes)), digits)


def test_other_numbers_for_the_same_pixels_are_refused(digits, digits_run):
    other = replace(digits, spec=replace(digits.spec, mean=(0.5,)))
    with pytest.raises(InputError, match=r"was trained with mean \(0.0,\), digits has \(0.5,\)"):
        networks.build(options(start=str(digits_run.path)), other)


@pytest.mark.parametrize(("freeze", "words"), [(99, r"--freeze 99: of 6 layers")])
def test_all_layers_cannot_be_frozen(digits, digits_run, freeze, words):
    with pytest.raises(InputError, match=words):
        networks.build(options(start=str(digits_run.path), freeze=freeze), digits)


def test_images_of_another_size_are_refused(digits, digits_run):
    spec = replace(digits.spec, height=32, width=32, fit="stretch")
    with pytest.raises(InputError, match=r"takes images of \(28, 28, 1\).*\(32, 32, 1\)"):
        networks.build(options(start=str(digits_run.path)), replace(digits, spec=spec))
