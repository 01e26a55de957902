"""Input range, label names, preprocessing of pictures."""

from dataclasses import replace

import numpy as np
import pytest

from runtime.model import load
from runtime.preprocessing.spec import PreprocessSpec
from runtime.session import LoadOptions
from toolkit.inspection import TensorRange
from toolkit.parity import Reference, audits, budget_for


class Held:
    """A graph of which only the input range is asked."""

    def __init__(self, low, high, step):
        self.held = TensorRange(low, high, step)

    def input_range(self):
        return self.held


BATCH = np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 10, 10, 1)


def test_a_range_that_fits_is_fine():
    assert audits.input_range(Held(0.0, 1.0, 1 / 255), BATCH) == ()


def test_a_float_input_has_no_range(rng):
    class Float:
        def input_range(self):
            return None

    assert audits.input_range(Float(), BATCH) == ()


def test_values_cut_off_are_reported():
    (text,) = audits.input_range(Held(-0.25, 0.75, 1 / 255), BATCH)
    assert text.startswith("24.6% of the input values are cut off")
    assert "zero point" in text


def test_a_range_that_is_hardly_used_is_reported():
    (text,) = audits.input_range(Held(-4.0, 4.0, 8 / 255), BATCH)
    assert text.startswith("real images use only 12%")
    assert "calibration" in text


def test_labels_in_another_order():
    assert audits.label_names(("a", "b"), ("a", "b")) == ()
    assert audits.label_names(("a", "b"), ("x", "y")) == ()
    (text,) = audits.label_names(tuple("abc"), ("b", "a", "new"))
    assert "output 0 is 'b', in Keras 'a'" in text
    (text,) = audits.label_names(tuple("abcdef"), tuple("bcdefa"))
    assert "output 0 is 'b', in Keras 'a'" in text
    assert "and 3 more" in text


@pytest.fixture
def look(exports, trained):
    """Audit the pictures of a file with another preprocessing."""

    def _look(**changes):
        options = LoadOptions(adapt=lambda spec: replace(spec, **changes))
        with load(exports["tflite"], options=options) as classifier:
            return audits.pictures(
                classifier,
                Reference.of(trained),
                trained.dataset.x_test[:60],
                budget_for("tflite"),
            )

    return _look


def test_the_same_framing_is_fine(look):
    assert look() == ()


@pytest.mark.parametrize(
    "changes", [{"polarity": "invert"}, {"polarity": "as-is"}, {"fit": "stretch"}, {"fit": "pad"}]
)
def test_pictures_that_are_read_otherwise_are_a_mismatch(look, changes):
    (text,) = look(**changes)
    assert text.startswith("preprocessing mismatch: other label than Keras, or none, on ")
    assert next(iter(changes.values())) in text


@pytest.mark.parametrize("changes", [{"scale": 1 / 128}, {"mean": (0.1,)}, {"std": (0.5,)}])
def test_pixels_that_become_other_numbers_are_a_mismatch(trained, changes):
    images = trained.dataset.x_test[:20]
    (text,) = audits.pixels(trained.spec, replace(trained.spec, **changes), images)
    assert text.startswith("preprocessing mismatch: the file reads pixels with ")


def test_the_last_digits_of_a_typed_scale_do_not_matter(trained):
    images = trained.dataset.x_test[:20]
    assert audits.pixels(trained.spec, replace(trained.spec, scale=0.00392157), images) == ()


def test_a_preprocessing_in_words():
    spec = PreprocessSpec(8, 8, 3, mean=(0.1, 0.2, 0.3), fit="pad")
    assert audits.in_words(spec) == (
        "scale 0.00392157, mean 0.1/0.2/0.3, std 1, fit pad, polarity as-is"
    )
