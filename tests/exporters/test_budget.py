"""The limits of parity."""

import pytest

from exporters.budget import EXACT, HALF, INTEGER, ParityBudget
from runtime.errors import InputError


@pytest.mark.parametrize("field", range(4))
@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_limit_outside_0_1_is_refused(field, value):
    limits = [0.1, 0.9, 0.1, 0.1]
    limits[field] = value
    with pytest.raises(InputError, match="0…1"):
        ParityBudget(*limits)


@pytest.mark.parametrize("limit", [0.0, 1.0])
def test_the_ends_are_allowed(limit):
    ParityBudget(limit, limit, limit, limit)


def test_less_precise_formats_have_wider_budgets():
    for narrow, wide in ((EXACT, HALF), (HALF, INTEGER)):
        assert narrow.max_accuracy_drop < wide.max_accuracy_drop
        assert narrow.min_agreement > wide.min_agreement
        assert narrow.max_abs_error < wide.max_abs_error
