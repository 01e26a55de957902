"""What is assumed of a file that says nothing."""

import pytest

from runtime.assumptions import default_spec


@pytest.mark.parametrize(
    ("shape", "fit", "polarity"),
    [
        ((28, 28, 1), "center-of-mass", "auto"),
        ((28, 28, 3), "pad", "as-is"),
        ((32, 32, 1), "pad", "as-is"),
    ],
)
def test_the_default_preprocessing_depends_on_the_size(shape, fit, polarity):
    spec = default_spec(shape)
    assert (spec.shape, spec.fit, spec.polarity) == (shape, fit, polarity)
