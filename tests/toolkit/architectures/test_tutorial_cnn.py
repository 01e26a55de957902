"""The network of the tutorials."""

import pytest

from runtime.errors import InputError
from toolkit import architectures
from toolkit.architectures import BuildOptions


def build(shape=(28, 28, 1), classes=10, **options):
    return architectures.registry()["tutorial-cnn"]().build(BuildOptions(shape, classes, **options))


@pytest.mark.parametrize(("padding", "parameters"), [("same", 887_530), ("valid", 232_170)])
def test_it_has_the_parameters_of_the_documentation(padding, parameters):
    model = build(padding=padding)
    assert model.count_params() == parameters
    assert model.output_shape == (None, 10)


def test_the_default_padding_is_same():
    assert build().count_params() == 887_530


def test_it_builds_for_other_images_and_classes():
    model = build((32, 48, 3), 4)
    assert model.input_shape == (None, 32, 48, 3)
    assert model.output_shape == (None, 4)


def test_images_too_small_for_the_layers_are_refused_in_one_line():
    with pytest.raises(InputError, match="cannot be built for 8x8 images") as raised:
        build((8, 8, 1), padding="valid")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"padding": "full"}, "unknown padding 'full'. Known: same, valid"), ({"classes": 1}, "2")],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        BuildOptions(**({"input_shape": (28, 28, 1), "classes": 10} | options))
