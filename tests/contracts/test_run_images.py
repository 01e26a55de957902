"""Images through an engine: the short way must answer as the long one, in every engine."""

import contextlib
import functools

import numpy as np
import pytest

from exporters import formats
from runtime.backends import registry
from runtime.errors import BackendError, InputError, MissingDependencyError
from runtime.modelfile import artifact as artifacts

PAIRS = [
    pytest.param(backend, name, id=f"{backend.name}-{name}")
    for backend in registry().values()
    for name, exporter in formats.registry().items()
    if exporter.suffix in backend.suffixes
]


@pytest.fixture(scope="module")
def engines(exports):
    """A function that opens a file in an engine, each only once."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def engine(backend, name):
            try:
                return stack.enter_context(backend(artifacts.read(exports[name])))
            except (MissingDependencyError, BackendError) as error:
                return str(error)

        yield engine


@pytest.fixture
def opened(backend, name, engines):
    engine = engines(backend, name)
    if isinstance(engine, str):
        pytest.skip(engine)
    return engine


@pytest.mark.parametrize(("backend", "name"), PAIRS)
def test_images_get_the_answers_of_the_preprocessed_batch(opened, digits, digits_run):
    spec, images = digits_run.spec, digits.x_test[:9]
    for part in (images, images[:1], images[..., 0], images[::-2], images / np.float32(255)):
        found = opened.run_images(part, spec)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, opened.run(spec.apply(part)))
    assert opened.run_images(images[:0], spec).shape == (0, 10)


@pytest.mark.parametrize(("backend", "name"), PAIRS)
def test_answers_to_images_do_not_change_later_nor_do_the_images(opened, digits, digits_run):
    images = digits.x_test[:4].copy()
    first = opened.run_images(images[:1], digits_run.spec)
    kept = first.copy()
    opened.run_images(images[1:2], digits_run.spec)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(images, digits.x_test[:4])
    images.flags.writeable = False
    np.testing.assert_array_equal(opened.run_images(images[:1], digits_run.spec), kept)


@pytest.mark.parametrize(("backend", "name"), PAIRS)
def test_images_of_another_shape_or_type_are_refused(opened, digits_run):
    for images in (
        np.zeros((1, 27, 28), np.uint8),
        np.zeros((28, 28), np.uint8),
        np.zeros((1, 28, 28), np.int32),
        np.full((1, 28, 28), 2.0, np.float32),
    ):
        with pytest.raises(InputError):
            opened.run_images(images, digits_run.spec)
