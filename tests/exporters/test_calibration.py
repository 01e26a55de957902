"""What is drawn for calibration, and how it is recorded."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.calibration import CalibrationOptions, TrainingImages, draw, stratified_sample
from runtime.errors import CalibrationError
from runtime.preprocessing.spec import PreprocessSpec

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=120).map(np.array)
OPTIONS = st.builds(CalibrationOptions, st.integers(1, 150), st.integers(0, 2**32 - 1))


@given(LABELS, OPTIONS, st.data())
def test_only_allowed_indices_are_drawn_sorted_and_once(labels, options, data):
    mask = data.draw(st.lists(st.booleans(), min_size=len(labels), max_size=len(labels)))
    allowed = np.flatnonzero(mask)
    chosen = stratified_sample(labels, allowed, options)
    assert len(chosen) == min(options.samples, len(allowed))
    assert np.isin(chosen, allowed).all()
    assert (np.diff(chosen) > 0).all()


@given(LABELS, OPTIONS)
def test_every_class_has_its_share(labels, options):
    chosen = stratified_sample(labels, np.arange(len(labels)), options)
    for label in np.unique(labels):
        due = len(chosen) * (labels == label).mean()
        assert abs((labels[chosen] == label).sum() - due) <= 1 + len(np.unique(labels)) / 2


@given(LABELS, OPTIONS)
def test_the_same_seed_draws_the_same_images(labels, options):
    allowed = np.arange(len(labels))
    first = stratified_sample(labels, allowed, options)
    assert np.array_equal(first, stratified_sample(labels, allowed, options))


def test_another_seed_draws_other_images():
    labels, allowed = np.arange(500) % 10, np.arange(500)
    drawn = [stratified_sample(labels, allowed, CalibrationOptions(50, seed)) for seed in (0, 1)]
    assert not np.array_equal(*drawn)
    assert all(np.bincount(labels[chosen]).tolist() == [5] * 10 for chosen in drawn)


@pytest.fixture
def source(rng):
    images = rng.integers(0, 256, (60, 4, 4, 1), dtype=np.uint8)
    return TrainingImages(images, np.arange(60) % 3, np.arange(0, 60, 2), "mine")


SPEC = PreprocessSpec(4, 4, 1)


def test_the_record_tells_how_the_images_were_drawn(source):
    drawn = draw(source, SPEC, CalibrationOptions(12, 5))
    indices = stratified_sample(source.labels, source.allowed, CalibrationOptions(12, 5))
    assert np.array_equal(drawn.batch, SPEC.apply(source.images[indices]))
    assert drawn.record.indices_sha256 == hashlib.sha256(indices.astype("<i8")).hexdigest()
    assert (drawn.record.samples, drawn.record.seed) == (12, 5)
    assert drawn.record.dataset == "mine training images"
    assert drawn.record.method == "min-max"


def test_fewer_images_than_asked_for_are_recorded_as_such(source):
    assert draw(source, SPEC, CalibrationOptions(512)).record.samples == 30


@pytest.mark.parametrize("samples", [0, -3])
def test_fewer_than_one_image_is_refused(samples):
    with pytest.raises(CalibrationError, match="--calibration-samples 512"):
        CalibrationOptions(samples)


def test_a_negative_seed_is_refused():
    with pytest.raises(CalibrationError, match="seed"):
        CalibrationOptions(seed=-1)


def test_nothing_to_draw_from_is_refused(source):
    empty = TrainingImages(source.images, source.labels, np.empty(0, np.int64), "mine")
    with pytest.raises(CalibrationError, match="no training images"):
        draw(empty, SPEC, CalibrationOptions())


def test_images_that_are_all_equal_are_refused(source):
    equal = TrainingImages(source.images * 0, source.labels, source.allowed, "mine")
    with pytest.raises(CalibrationError, match="all calibration images are equal"):
        draw(equal, SPEC, CalibrationOptions())
