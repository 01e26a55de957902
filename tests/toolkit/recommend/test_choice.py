"""Limits, the Pareto front and the one that is taken, on hand-made measurements."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InputError
from toolkit.parity import ArtifactParity
from toolkit.recommend.choice import (
    SAME_SPEED,
    Limits,
    Measured,
    as_fast,
    judge,
    pareto_front,
    pick,
)


def measured(name="tflite", ms=1.0, size=1000, memory=50.0, **changes):
    """A file that passes."""
    values = {
        "format": name,
        "path": f"m.{name}.tflite",
        "backend": "litert",
        "size": size,
        "verdict": "pass",
        "reasons": (),
        "accuracy": 0.99,
        "accuracy_delta": 0.0,
        "agreement": 1.0,
        "latency_ms": ms,
        "peak_memory_mb": memory,
    } | changes
    numbers = {key: values.pop(key) for key in ("accuracy", "accuracy_delta", "agreement")}
    metrics = SimpleNamespace(**numbers) if numbers["accuracy"] is not None else None
    parity = {key: values.pop(key) for key in ("format", "path", "backend", "verdict", "reasons")}
    return Measured(ArtifactParity(**parity, metrics=metrics), **values)


def chosen(*entries, **limits):
    found = pick(judge(entries, Limits(**limits)))
    return found.parity.format if found else None


def test_the_fastest_is_taken():
    assert chosen(measured("a", 1.0, 10), measured("b", 0.5, 9000), measured("c", 0.9, 1)) == "b"


def test_within_ten_percent_the_smallest_is_taken():
    entries = [measured("a", 1.0, 900), measured("b", 1.09, 300), measured("c", 1.11, 100)]
    assert chosen(*entries) == "b"


def test_of_equally_small_ones_the_one_with_the_least_memory_is_taken():
    entries = [measured("a", 1.0, 300, 60), measured("b", 1.05, 300, 50)]
    assert chosen(*entries) == "b"
    assert chosen(*entries[::-1]) == "b"


def test_what_still_ties_goes_to_the_faster_and_then_to_the_one_nearer_to_keras():
    assert chosen(measured("a", 1.05), measured("b", 1.0)) == "b"
    assert chosen(measured("a", agreement=0.99), measured("b", agreement=1.0)) == "b"


def test_what_fails_the_gate_is_never_taken_however_fast():
    fast = measured("a", 0.1, verdict="fail", reasons=("its labels are swapped",))
    entries = judge([fast, measured("b")], Limits())
    assert pick(entries).parity.format == "b"
    assert entries[0].excluded == ("fails the parity gate: its labels are swapped",)
    assert not entries[0].pareto


def test_a_failed_gate_without_reasons_excludes_too():
    assert chosen(measured(verdict="fail")) is None


def test_a_refused_file_is_out_with_its_reason():
    nothing = dict.fromkeys(("accuracy", "accuracy_delta", "agreement"))
    refused = measured(verdict="refused", reasons=("too old",), ms=None, memory=None, **nothing)
    (entry,) = judge([refused], Limits())
    assert entry.excluded == ("refused: too old",)
    with pytest.raises(ValueError, match="was not measured"):
        _ = entry.costs


def test_a_file_that_crashes_in_a_fresh_process_is_out():
    assert chosen(measured("a", 0.1, memory=None, problem="ended with code -4")) is None


@pytest.mark.parametrize(
    ("delta", "limit", "passes"),
    [
        (-0.001, 0.1, True),
        (0.9948 - 0.9958, 0.1, True),  # 0.1 points, but for rounding
        (-0.0011, 0.1, False),
        (-0.0001, 0.0, False),
        (0.0, 0.0, True),
        (0.01, 0.0, True),
        (-0.5, None, True),
    ],
)
def test_the_drop_is_a_point_estimate_in_points(delta, limit, passes):
    found = chosen(measured("a", accuracy_delta=delta), max_drop=limit)
    assert found == ("a" if passes else None)


def test_the_excluded_drop_is_reported_with_its_limit():
    (entry,) = judge([measured(accuracy_delta=-0.0123)], Limits(max_drop=0.5))
    assert entry.excluded == ("accuracy is 1.23 points below Keras's (--max-drop 0.5)",)


def test_a_file_of_exactly_the_largest_size_passes():
    assert chosen(measured("a", size=900), max_size=900) == "a"
    (entry,) = judge([measured(size=901)], Limits(max_size=900))
    assert entry.excluded == ("901 bytes are more than --max-size 900",)


def test_all_reasons_are_reported():
    bad = measured(verdict="fail", reasons=("x", "y"), accuracy_delta=-0.2, size=9999)
    (entry,) = judge([bad], Limits(1.0, 10))
    assert len(entry.excluded) == 4


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_drop": -0.1}, "0…100"),
        ({"max_drop": 101.0}, "0…100"),
        ({"max_drop": float("nan")}, "0…100"),
        ({"max_size": 0}, "at least 1 byte"),
    ],
)
def test_limits_out_of_range_are_refused(limits, words):
    with pytest.raises(InputError, match=words):
        Limits(**limits)


def test_nothing_to_choose_from_is_none():
    assert pick(judge([], Limits())) is None


def test_the_front_holds_a_slow_file_that_takes_less_memory():
    entries = judge([measured("a", 1.0, memory=60), measured("b", 20.0, memory=50)], Limits())
    assert [entry.pareto for entry in entries] == [True, True]
    entries = judge([measured("a", 1.0, memory=50), measured("b", 20.0, memory=50)], Limits())
    assert [entry.pareto for entry in entries] == [True, False]


def test_an_excluded_file_does_not_push_others_off_the_front():
    better = measured("a", 0.5, 100, 10, verdict="fail", reasons=("x",))
    assert [entry.pareto for entry in judge([better, measured("b")], Limits())] == [False, True]


rows = st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=12)


@given(rows)
def test_the_front_is_that_of_brute_force(costs):
    expected = {
        row
        for row in costs
        if not any(
            all(other[i] <= row[i] for i in range(3)) and any(other[i] < row[i] for i in range(3))
            for other in costs
        )
    }
    assert pareto_front(costs) == expected


files = st.builds(
    lambda ms, size, memory, agreement, errors, verdict: measured(
        "x",
        ms,
        size,
        memory,
        agreement=agreement / 10,
        accuracy=1 - errors / 10,
        accuracy_delta=-errors / 10,
        verdict=verdict,
    ),
    st.floats(0.1, 2.0) | st.integers(1, 3).map(float),
    st.integers(1, 4),
    st.integers(40, 43).map(float),
    st.integers(8, 10),
    st.integers(0, 2),
    st.sampled_from(["pass", "pass", "fail"]),
)


@given(st.lists(files, min_size=1, max_size=10), st.randoms())
def test_the_chosen_one_keeps_the_rule_and_is_on_the_front_in_any_order(entries, order):
    judged = judge(entries, Limits(max_drop=15.0))
    one = pick(judged)
    allowed = [entry for entry in judged if not entry.excluded]
    if not allowed:
        assert one is None
        return
    assert one.pareto
    assert one.latency_ms <= SAME_SPEED * min(entry.latency_ms for entry in allowed)
    assert one.size == min(entry.size for entry in as_fast(allowed))
    shuffled = list(entries)
    order.shuffle(shuffled)
    assert pick(judge(shuffled, Limits(max_drop=15.0))).costs == one.costs


def test_the_record_has_the_promised_keys():
    (entry,) = judge([measured(verdict="fail", reasons=("x",))], Limits())
    assert entry.to_json() == {
        "format": "tflite",
        "path": "m.tflite.tflite",
        "backend": "litert",
        "bytes": 1000,
        "accuracy": 0.99,
        "accuracy_delta": 0.0,
        "agreement": 1.0,
        "verdict": "fail",
        "reasons": ["x"],
        "latency_ms": 1.0,
        "peak_memory_mb": 50.0,
        "pareto": False,
        "excluded": ["fails the parity gate: x"],
    }
    first = list(entry.to_json())[:3]
    assert first == ["format", "path", "backend"]


def test_the_variant_comes_from_the_registry():
    assert measured("tflite-int8").variant == "int8"
    assert measured("unknown").variant == ""
