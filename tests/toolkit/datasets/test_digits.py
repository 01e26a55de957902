"""The digits that scikit-learn ships."""

import numpy as np
import pytest

from toolkit.datasets import DataOptions, load_dataset


def test_images_have_the_size_and_dtype_of_mnist(digits):
    assert digits.x_train.shape[1:] == digits.x_test.shape[1:] == (28, 28, 1)
    assert digits.x_train.dtype == np.uint8
    assert digits.x_train.max() == 255
    assert digits.labels == tuple("0123456789")


def test_all_1797_images_are_used_but_for_copies(digits):
    assert len(digits.x_train) + len(digits.x_test) >= 1797 - 5
    assert len(digits.x_test) == pytest.approx(0.2 * 1797, abs=10)


def test_ink_is_framed_as_in_mnist(digits):
    rows, columns = np.indices((28, 28))
    for image in digits.x_test[:50, ..., 0].astype(float):
        ink = np.argwhere(image > 40)
        height, width = np.ptp(ink, axis=0) + 1
        assert max(height, width) <= 20
        center = (image * rows).sum() / image.sum(), (image * columns).sum() / image.sum()
        assert center == pytest.approx((14, 14), abs=1.0)


def test_every_class_has_its_share_in_both_parts(digits):
    shares = [np.bincount(y) / len(y) for y in (digits.y_train, digits.y_test)]
    assert np.abs(shares[0] - shares[1]).max() < 0.005


def test_loading_twice_gives_the_same_data(digits):
    again = load_dataset(DataOptions(name="digits"))
    assert again.checksum == digits.checksum


def test_the_spec_can_be_changed_by_options():
    spec = load_dataset(DataOptions(name="digits", fit="pad", polarity="invert")).spec
    assert (spec.fit, spec.polarity) == ("pad", "invert")
