"""Images through an engine: the short way must answer as the long one, in every engine."""

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


@pytest.fixture
def opened(backend, name, exports):
    try:
        engine = backend(artifacts.read(exports[name]))
    except (MissingDependencyError, BackendError) as error:
        pytest.skip(str(error))
    with engine:
        yield engine


@pytest.mark.parametrize(("backend", "name"), PAIRS)
def test_images_get_the_answers_of_the_preprocessed_batch(opened, digits, subject):
    spec, images = subject.spec, digits.x_test[:9]
    for part in (images, images[:1], images[..., 0], images[::-2], images / np.float32(255)):
        found = opened.run_images(part, spec)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, opened.run(spec.apply(part)))
    assert opened.run_images(images[:0], spec).shape == (0, 10)


@pytest.mark.parametrize(("backend", "name"), PAIRS)
def test_answers_to_images_do_not_change_later_nor_do_the_images(opened, digits, subject):
    images = digits.x_test[:4].copy()
    first = opened.run_images(images[:1], subject.spec)
    kept = first.copy()
    opened.run_images(images[1:2], subject.spec)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(images, digits.x_test[:4])
    images.flags.writeable = False
    np.testing.assert_array_equal(opened.run_images(images[:1], subject.spec), kept)


@pytest.mark.parametrize(("backend", "name"), PAIRS)
def test_images_of_another_shape_or_type_are_refused(opened, subject):
    for images in (
        np.zeros((1, 27, 28), np.uint8),
        np.zeros((28, 28), np.uint8),
        np.zeros((1, 28, 28), np.int32),
        np.full((1, 28, 28), 2.0, np.float32),
    ):
        with pytest.raises(InputError):
            opened.run_images(images, subject.spec)
