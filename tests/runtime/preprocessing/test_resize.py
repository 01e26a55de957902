"""Stretch and pad: sizes, polarity, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from runtime.preprocessing.spec import PreprocessSpec


def prepared(pixels, **options):
    spec = PreprocessSpec(**{"height": 8, "width": 8, "fit": "stretch"} | options)
    return spec.prepare(Image.fromarray(np.asarray(pixels, np.uint8)))


@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(8, 8), (1, 1), (3, 40), (40, 3), (9, 7, 3), (100, 80, 3)])
def test_any_picture_becomes_the_size_of_the_model(fit, channels, shape, rng):
    found = prepared(rng.integers(0, 256, shape), fit=fit, channels=channels, height=8, width=6)
    assert found.pixels.shape == (8, 6, channels)
    assert found.pixels.dtype == np.uint8
    assert found.steps[0] == f"{shape[1]}x{shape[0]} {'grey' if len(shape) == 2 else 'colour'}"


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_a_picture_of_the_right_size_is_not_resampled(fit, rng):
    pixels = rng.integers(0, 256, (8, 8), np.uint8)
    found = prepared(pixels, fit=fit)
    np.testing.assert_array_equal(found.pixels[..., 0], pixels)
    assert found.steps == ("8x8 grey",)


def test_stretch_ignores_the_aspect_and_pad_keeps_it():
    pixels = np.full((8, 16), 200)
    pixels[2:6, 4:12] = 10
    stretched = prepared(pixels).pixels[..., 0] < 100
    padded = prepared(pixels, fit="pad").pixels[..., 0] < 100
    assert (stretched.any(axis=0).sum(), stretched.any(axis=1).sum()) == (4, 4)
    assert (padded.any(axis=0).sum(), padded.any(axis=1).sum()) == (4, 2)


@pytest.mark.parametrize("paper", [0, 90, 255])
def test_pad_fills_with_the_colour_of_the_border(paper):
    pixels = np.full((4, 20, 3), (paper, 7, 99))
    pixels[1:3, 8:12] = 128
    found = prepared(pixels, fit="pad", channels=3).pixels
    assert (found[0] == (paper, 7, 99)).all()
    assert (found[-1] == (paper, 7, 99)).all()


@pytest.mark.parametrize(
    ("polarity", "paper", "inverted"),
    [
        ("as-is", 255, False),
        ("invert", 255, True),
        ("invert", 0, True),
        ("auto", 255, True),
        ("auto", 128, True),
        ("auto", 127, False),
        ("auto", 0, False),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_polarity(polarity, paper, inverted, channels):
    pixels = np.full((8, 8), paper)
    pixels[3:5, 3:5] = 255 - paper
    found = prepared(pixels, polarity=polarity, channels=channels)
    wanted = 255 - pixels if inverted else pixels
    assert (found.pixels == wanted[..., None]).all()
    assert any("inverted" in step for step in found.steps) == inverted


def test_the_steps_name_the_fit_and_the_reason():
    found = prepared(np.full((4, 12), 250), fit="pad", polarity="auto")
    assert found.steps == ("12x4 grey", "inverted (light border)", "pad to 8x8")


def test_the_framing_of_mnist_gives_light_ink_on_black(digits):
    spec = PreprocessSpec(28, 28, fit="center-of-mass", polarity="auto")
    picture = np.full((90, 60), 235, np.uint8)
    picture[20:70, 27:33] = 30
    found = spec.prepare(Image.fromarray(picture))
    assert found.pixels.shape == (28, 28, 1)
    assert found.pixels[0, 0, 0] == 0
    assert found.pixels.max() > 150  # smoothed
    assert found.steps


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_rows_and_columns_are_not_mixed_up(fit):
    pixels = np.zeros((12, 18), np.uint8)
    pixels[:, 9:] = 255
    found = prepared(pixels, fit=fit, height=4, width=6).pixels[..., 0]
    assert (found[:, :2] < 60).all()
    assert (found[:, 4:] > 195).all()


@pytest.mark.parametrize("shape", [(5000, 1), (1, 5000)])
def test_the_thinnest_picture_stays_one_pixel_wide(shape):
    picture = np.full(shape, 30, np.uint8)
    middle = picture.size // 2
    picture.reshape(-1)[middle - 500 : middle + 500] = 220
    found = prepared(picture, fit="pad")
    assert found.pixels.max() > 150  # smoothed
