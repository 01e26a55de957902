"""Which images become golden inputs."""

from __future__ import annotations

import numpy as np
import pytest

from runtime.errors import InputError
from toolkit.parity.golden import GoldenRule, choose


def made(count, classes, *, size=(8, 8, 1), margins=None, error=0.0, seed=0):
    """Images of noise; Keras's two best classes are ``margin`` apart, the file errs by error."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *size), np.uint8)
    truth = np.arange(count) % classes
    margins = rng.uniform(0, 1, count) if margins is None else np.asarray(margins)
    expected = np.zeros((count, classes), np.float32)
    expected[np.arange(count), truth] = (1 + margins) / 2
    expected[np.arange(count), (truth + 1) % classes] = (1 - margins) / 2
    outputs = expected.copy()
    outputs[np.arange(count), truth] -= error
    outputs[np.arange(count), (truth + 1) % classes] += error
    return images, truth, expected, outputs


def margins_of(golden):
    best = np.sort(golden.expected, axis=1)
    return best[:, -1] - best[:, -2]


def names(classes):
    return tuple(f"c{index}" for index in range(classes))


def test_each_class_gets_one_near_the_boundary_and_one_far_from_it():
    data = made(6, 2, margins=[0.5, 0.6, 0.3, 0.25, 0.9, 0.95])
    golden = choose(*data, names(2), GoldenRule(0.05, 0.5, "noise"))
    assert golden.truth == (0, 1, 0, 1)
    assert margins_of(golden) == pytest.approx([0.3, 0.25, 0.9, 0.95], abs=1e-5)
    chosen = data[0][[2, 3, 4, 5]]
    assert np.array_equal(golden.pixels((8, 8, 1)), chosen)
    assert golden.tolerance == pytest.approx(0.05)


def test_an_image_that_rounding_could_turn_is_not_taken():
    """Margin 0.15 is safe from rounding of 0.05, but not where the file errs by 0.03."""
    near = [0.15, 0.15, 0.2, 0.2, 0.9, 0.9]
    rule = GoldenRule(0.05, 0.5, "noise")
    assert margins_of(choose(*made(6, 2, margins=near), names(2), rule)).min() < 0.16
    golden = choose(*made(6, 2, margins=near, error=0.03), names(2), rule)
    assert margins_of(golden).min() == pytest.approx(0.2, abs=1e-5)
    assert golden.tolerance == pytest.approx(0.08)


def test_the_tolerance_never_exceeds_the_budget():
    data = made(6, 2, margins=[0.5] * 6, error=0.08)
    assert choose(*data, names(2), GoldenRule(0.05, 0.1, "noise")).tolerance == 0.1


def test_an_undecided_model_is_taken_with_labels_that_do_not_count():
    golden = choose(*made(6, 2, margins=[0.04] * 6), names(2), GoldenRule(0.05, 0.5, "noise"))
    assert len(golden) == 4
    assert margins_of(golden).max() < golden.tie_margin


def test_a_class_that_keras_never_predicts_is_left_out_and_counted():
    images, truth, expected, outputs = made(30, 3)
    keep = truth != 1
    golden = choose(
        images[keep],
        truth[keep],
        expected[keep],
        outputs[keep],
        names(3),
        GoldenRule(1e-4, 1e-3, "noise"),
    )
    assert set(golden.truth) == {0, 2}
    assert "of 2 of 3 classes" in golden.summary


@pytest.mark.parametrize(("classes", "images", "covered"), [(30, 40, 30), (100, 40, 40)])
def test_many_classes_get_their_first_image_first_and_are_else_taken_evenly(
    classes, images, covered
):
    golden = choose(*made(classes * 4, classes), names(classes), GoldenRule(1e-4, 1e-3, "noise"))
    assert len(golden) == images
    found = sorted(set(golden.truth))
    assert len(found) == covered
    assert max(np.diff(found)) <= -(-classes // covered)


def test_outputs_of_a_thousand_classes_do_not_swell_the_file():
    golden = choose(*made(2000, 1000), names(1000), GoldenRule(1e-4, 1e-3, "noise"))
    assert len(golden) == 20


def test_big_pictures_are_fewer_and_stay_below_the_limit():
    golden = choose(*made(12, 3, size=(160, 160, 3)), names(3), GoldenRule(1e-4, 1e-3, "noise"))
    assert len(golden.images) * 3 // 4 <= 256 * 1024
    assert 1 < len(golden) < 6
    assert set(golden.truth) == {0, 1, 2}


def test_a_picture_that_alone_is_too_big_is_refused():
    with pytest.raises(InputError, match="one image of 320x300 takes"):
        choose(*made(3, 3, size=(300, 320, 3)), names(3), GoldenRule(1e-4, 1e-3, "noise"))


def test_the_same_arguments_give_the_same_record():
    first, second = (
        choose(*made(90, 5), names(5), GoldenRule(1e-4, 1e-3, "noise")) for _ in range(2)
    )
    assert first == second


def test_outputs_that_are_not_finite_are_not_chosen():
    images, truth, expected, outputs = made(6, 2, margins=[0.3, 0.3, 0.5, 0.5, 0.9, 0.9])
    outputs[0] = np.nan
    golden = choose(images, truth, expected, outputs, names(2), GoldenRule(0.05, 0.5, "noise"))
    assert margins_of(golden).min() == pytest.approx(0.3, abs=1e-5)
    assert np.isfinite(golden.expected).all()
