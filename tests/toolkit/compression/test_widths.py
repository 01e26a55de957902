"""Ever narrower networks."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from toolkit.compression.channels import Group
from toolkit.compression.widths import STEP, ladder

groups = st.lists(st.integers(1, 300).map(Group), min_size=1, max_size=5)


@given(groups)
def test_each_rung_is_narrower_and_made_of_whole_steps(found):
    rungs = ladder(found)
    assert rungs[0] == {group: group.size for group in found}
    for wide, narrow in itertools.pairwise(rungs):
        assert narrow != wide
        assert all(narrow[group] <= wide[group] for group in found)
    for rung in rungs[1:]:
        assert all(width % STEP == 0 or width == group.size for group, width in rung.items())


@given(groups)
def test_the_last_rung_is_as_narrow_as_can_be(found):
    assert all(width == min(STEP, group.size) for group, width in ladder(found)[-1].items())
