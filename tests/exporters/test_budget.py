"""The limits of parity."""

import pytest

from exporters.budget import EXACT, HALF, INT16_ACTIVATIONS, INTEGER, ON_GPU, ParityBudget
from runtime.errors import InputError


@pytest.mark.parametrize("field", range(1, 4))
@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_share_outside_0_1_is_refused(field, value):
    limits = [0.1, 0.9, 0.1, 0.1]
    limits[field] = value
    with pytest.raises(InputError, match="0…1"):
        ParityBudget(*limits)


@pytest.mark.parametrize("value", [-0.01, 100.1, float("nan"), float("inf")])
def test_a_drop_outside_0_100_points_is_refused(value):
    with pytest.raises(InputError, match="points of accuracy, 0…100"):
        ParityBudget(value, 0.9, 0.1, 0.1)


@pytest.mark.parametrize(
    "limits", [{"max_kl": -0.1}, {"max_kl": float("nan")}, {"min_sqnr": float("nan")}]
)
def test_limits_that_mean_nothing_are_refused(limits):
    with pytest.raises(InputError, match="max-kl must not be negative"):
        ParityBudget(0.1, 0.9, 0.1, 0.1, **limits)


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_the_ends_are_allowed(limit):
    ParityBudget(100 * limit, limit, limit, limit)


def test_one_image_may_always_differ():
    budget = ParityBudget(0.5, 0.99, 0.5, 0.1)
    assert [budget.allowed_flips(n) for n in (1, 99, 100, 199, 200, 1000)] == [1, 1, 1, 1, 2, 10]


def test_less_precise_formats_have_wider_budgets():
    for narrow, wide in ((EXACT, HALF), (HALF, INT16_ACTIVATIONS), (INT16_ACTIVATIONS, INTEGER)):
        assert narrow.max_drop < wide.max_drop
        assert narrow.min_agreement > wide.min_agreement
        assert narrow.max_abs_error < wide.max_abs_error


def test_the_looser_one_is_taken_limit_by_limit():
    first = ParityBudget(0.1, 0.99, 0.5, 0.1, max_kl=0.1, min_cosine=0.9, min_sqnr=10)
    second = ParityBudget(0.2, 0.999, 0.1, 0.2, max_kl=0.2, min_cosine=0.99, min_sqnr=20)
    both = first.or_looser(second)
    assert both == ParityBudget(0.2, 0.99, 0.5, 0.2, max_kl=0.2, min_cosine=0.9, min_sqnr=10)
    assert second.or_looser(first) == both


def test_a_gpu_adds_to_exact_files_and_nothing_to_int8():
    exact = EXACT.or_looser(ON_GPU["float32"])
    assert exact == ON_GPU["float32"]
    assert exact.max_abs_error < HALF.max_abs_error
    assert INTEGER.or_looser(ON_GPU["float32"]) == INTEGER
    half = EXACT.or_looser(ON_GPU["float16"])
    assert half == ON_GPU["float16"] == half.or_looser(exact)
    assert INTEGER.or_looser(ON_GPU["float16"]) == INTEGER
