"""PreprocessSpec: the arithmetic, the record in JSON, and what is refused."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from runtime.errors import InputError
from runtime.preprocessing.fits import POLARITIES, fits
from runtime.preprocessing.spec import PreprocessSpec

NUMBERS = st.floats(-100, 100)
NOT_ZERO = st.floats(0.01, 100) | st.floats(-100, -0.01)


@st.composite
def specs(draw):
    channels = draw(st.sampled_from([1, 3]))
    count = draw(st.sampled_from([1, channels]))
    names = [name for name, fit in fits().items() if channels in fit.channels]
    return PreprocessSpec(
        height=draw(st.integers(1, 9)),
        width=draw(st.integers(1, 9)),
        channels=channels,
        scale=draw(NOT_ZERO),
        mean=tuple(draw(st.lists(NUMBERS, min_size=count, max_size=count))),
        std=tuple(draw(st.lists(NOT_ZERO, min_size=count, max_size=count))),
        fit=draw(st.sampled_from(names)),
        polarity=draw(st.sampled_from(POLARITIES)),
    )


@given(specs())
def test_json_round_trip(spec):
    assert PreprocessSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@given(specs(), st.integers(0, 2**32), st.sampled_from(["uint8", "float32", "float64"]))
def test_apply_is_the_formula(spec, seed, dtype):
    pixels = np.random.default_rng(seed).integers(0, 256, (2, *spec.shape), np.uint8)
    given_pixels = pixels if dtype == "uint8" else (pixels / 255).astype(dtype)
    found = spec.apply(given_pixels)
    assert (found.dtype, found.shape) == (np.float32, pixels.shape)
    mean, std = (np.array(v, np.float64) for v in (spec.mean, spec.std))
    wanted = (pixels.astype(np.float64) * spec.scale - mean) / std
    size = (np.abs(pixels * spec.scale) + np.abs(mean)) / np.abs(std)
    assert (np.abs(found - wanted) <= 1e-6 * size + 1e-7).all()


def test_default_maps_0_to_255_onto_0_to_1():
    spec = PreprocessSpec(1, 3)
    found = spec.apply(np.array([[[0, 51, 255]]], np.uint8))
    np.testing.assert_allclose(found.ravel(), [0, 0.2, 1], rtol=1e-7)


def test_grey_batches_may_leave_out_the_channel():
    spec = PreprocessSpec(2, 2)
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    np.testing.assert_array_equal(spec.apply(images), spec.apply(images[..., None]))
    assert spec.apply(images[:0]).shape == (0, 2, 2, 1)


def test_apply_leaves_its_input_alone():
    images = np.full((1, 2, 2), 0.5, np.float32)
    PreprocessSpec(2, 2, mean=(1.0,), std=(2.0,)).apply(images)
    assert (images == 0.5).all()


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((1, 3, 2), np.uint8), r"expected images of shape \(n, 2, 2, 1\)"),
        (np.zeros((2, 2), np.uint8), "expected images of shape"),
        (np.zeros((1, 2, 2, 3), np.uint8), "expected images of shape"),
        (np.zeros((1, 2, 2), np.int64), "dtype int64"),
        (np.zeros((1, 2, 2), bool), "dtype bool"),
        (np.zeros((1, 2, 2), object), "dtype object"),
        (np.zeros((1, 2, 2), complex), "dtype complex128"),
        (np.full((1, 2, 2), 255.0), r"0…1, got 255…255; divide by 255"),
        (np.full((1, 2, 2), -0.01), "0…1"),
        (np.full((1, 2, 2), np.nan), "0…1, some are not a number"),
        (np.full((1, 2, 2), np.inf), "0…1, got inf"),
    ],
)
def test_apply_refuses(images, words):
    with pytest.raises(InputError, match=words):
        PreprocessSpec(2, 2).apply(images)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"height": 0}, "size must be positive"),
        ({"width": -1}, "size must be positive"),
        ({"channels": 2}, r"channels must be 1 \(grey\) or 3"),
        ({"fit": "crop"}, "unknown fit 'crop'.* Known: center-of-mass, pad, stretch"),
        ({"polarity": "dark"}, "unknown polarity 'dark'.* Known: as-is, auto, invert"),
        ({"channels": 3, "fit": "center-of-mass"}, "grey images"),
        ({"mean": (0.0, 0.0)}, "mean needs 1 or 1 values, not 2"),
        ({"channels": 3, "std": (1.0, 1.0)}, "std needs 1 or 3 values, not 2"),
        ({"mean": ()}, "mean needs"),
        ({"std": (0.0,)}, "not zero"),
        ({"scale": 0.0}, "not zero"),
        ({"scale": float("nan")}, "finite"),
        ({"mean": (float("inf"),)}, "finite"),
    ],
)
def test_a_spec_out_of_range_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        dataclasses.replace(PreprocessSpec(2, 2), **changes)


@pytest.mark.parametrize(
    "change",
    [{"mean": None}, {"mean": ["x"]}, {"extra": 1}, {"height": "tall"}, {"std": 1}, {"fit": None}],
)
def test_a_broken_record_is_refused(change):
    with pytest.raises(InputError, match=r"broken preprocessing record|unknown fit"):
        PreprocessSpec.from_json(PreprocessSpec(2, 2).to_json() | change)


def test_a_missing_field_of_the_record_is_refused():
    record = PreprocessSpec(2, 2).to_json()
    del record["std"]
    with pytest.raises(InputError, match="broken preprocessing record: 'std'"):
        PreprocessSpec.from_json(record)


def test_from_file_gives_pixels_of_the_model_size(tmp_path, rng):
    path = tmp_path / "a.png"
    pixels = rng.integers(0, 256, (6, 4, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    found = PreprocessSpec(6, 4, 3).from_file(path)
    np.testing.assert_array_equal(found, pixels)
    assert PreprocessSpec(3, 5, 1, fit="pad").from_file(path).shape == (3, 5, 1)


def test_matches_tells_the_size_of_the_model():
    spec = PreprocessSpec(4, 5, 3)
    assert spec.matches(np.zeros((2, 4, 5, 3)))
    assert not spec.matches(np.zeros((2, 4, 5)))
    assert PreprocessSpec(4, 5).matches(np.zeros((2, 4, 5)))
    assert not PreprocessSpec(4, 5).matches(np.zeros((2, 5, 4)))


def test_an_assumed_spec_is_logged(caplog):
    with caplog.at_level("INFO", "runtime"):
        PreprocessSpec.assumed((32, 32, 3))
    assert "no preprocessing record for input (32, 32, 3): assumed" in caplog.text
    assert "fit='pad'" in caplog.text
