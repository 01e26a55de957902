"""A session: named arrays in and out, and what is assumed of a file without a manifest."""

import numpy as np
import pytest

from runtime.backends import BackendOptions
from runtime.errors import InputError
from runtime.preprocessing.spec import PreprocessSpec
from runtime.session import LoadOptions, Session
from runtime.workers.opening import open_backend


@pytest.mark.parametrize(
    ("shape", "fit", "polarity"),
    [
        ((28, 28, 1), "center-of-mass", "auto"),
        ((28, 28, 3), "pad", "as-is"),
        ((32, 32, 1), "pad", "as-is"),
    ],
)
def test_the_default_preprocessing_depends_on_the_size(shape, fit, polarity):
    spec = PreprocessSpec.assumed(shape)
    assert (spec.shape, spec.fit, spec.polarity) == (shape, fit, polarity)


@pytest.fixture
def session(tiny):
    pytest.importorskip("onnxruntime")
    with Session(tiny, open_backend(tiny, "onnxruntime", BackendOptions())) as opened:
        yield opened


def test_it_takes_and_returns_arrays_by_the_names_of_the_tensors(session, rng):
    batch = rng.random((5, 8, 8, 1), np.float32)
    (expected,), (output,) = session.inputs, session.outputs
    assert (expected.name, output.name) == ("image", "scores")
    found = session.run({"image": batch})
    assert list(found) == ["scores"]
    np.testing.assert_array_equal(found["scores"], session.backend.run(batch))
    np.testing.assert_array_equal(session.classify(batch), found["scores"])


def test_another_name_than_those_of_the_model_is_refused(session):
    with pytest.raises(InputError, match=r"takes the input 'image', not \['pixels'\]"):
        session.run({"pixels": np.zeros((1, 8, 8, 1), np.float32)})


def test_options_that_do_not_fit_close_the_engine(tiny):
    engine = open_backend(tiny, "onnxruntime", BackendOptions())
    with pytest.raises(InputError, match="2 labels for a model of 3 classes"):
        Session(tiny, engine, LoadOptions(("a", "b")))
    assert engine._session is None
