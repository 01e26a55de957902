"""Connected components: against a flood fill, and what is summed over them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runtime.preprocessing.digits.components import connected_components

masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def flood_fill(mask):
    """Number the 8-connected components from 1, in the order of their first pixel."""
    labels = np.zeros(mask.shape, int)
    count = 0
    for first in zip(*np.nonzero(mask), strict=True):
        if labels[first]:
            continue
        count += 1
        waiting = [first]
        while waiting:
            y, x = waiting.pop()
            inside = 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]
            if inside and mask[y, x] and not labels[y, x]:
                labels[y, x] = count
                waiting += [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return labels, count


@given(masks)
def test_components_are_those_of_a_flood_fill(mask):
    labels, count = flood_fill(mask)
    found = connected_components(mask)
    assert found.total == count
    for number in range(count):
        wanted = labels == number + 1
        assert np.array_equal(found.select(np.arange(count) == number), wanted)
        assert found.areas()[number] == wanted.sum()


@given(masks, st.integers(0, 2**32 - 1))
def test_sums_and_borders_are_those_of_the_pixels(mask, seed):
    plane = np.random.default_rng(seed).normal(size=mask.shape).astype(np.float32)
    labels, count = flood_fill(mask)
    found = connected_components(mask)
    for number in range(count):
        piece = labels == number + 1
        np.testing.assert_allclose(found.sums(plane)[number], plane[piece].sum(), atol=1e-5)
        edges = piece[0].sum() + piece[-1].sum() + piece[:, 0].sum() + piece[:, -1].sum()
        assert found.border_pixels()[number] == edges


@given(masks, st.integers(0, 2**32 - 1))
def test_some_components_can_be_kept(mask, seed):
    labels, count = flood_fill(mask)
    keep = np.random.default_rng(seed).random(count) < 0.5
    wanted = np.concatenate([[False], keep])[labels]
    before = mask.copy()
    assert np.array_equal(connected_components(mask).select(keep), wanted)
    assert np.array_equal(mask, before)


def test_a_row_does_not_go_on_in_the_next():
    mask = np.array([[0, 0, 1], [0, 0, 0], [1, 0, 0]], bool)
    assert connected_components(mask).total == 2
    mask = np.array([[0, 0, 1], [1, 0, 0]], bool)
    assert connected_components(mask).total == 2


def test_components_touch_over_a_corner():
    assert connected_components(np.eye(5, dtype=bool)).total == 1
    assert connected_components(np.eye(5, dtype=bool)[::-1]).total == 1
