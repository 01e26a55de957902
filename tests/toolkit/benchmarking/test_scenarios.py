"""The scenarios of MLPerf: what they ask, and what they report."""

import pytest

from toolkit.benchmarking.scenarios import evaluate, find

MS = 1_000_000  # nanoseconds


@pytest.mark.parametrize(
    ("name", "samples", "metric"),
    [("single-stream", 1, "p90_ms"), ("multi-stream", 8, "p99_ms"), ("offline", 16, None)],
)
def test_a_scenario_reports_its_metric(name, samples, metric):
    assert find(name).samples == (None if name == "offline" else samples)
    times = tuple(range(MS, 2 * MS, 1000))
    found = evaluate(find(name), samples, (times[:300], times[300:]))
    record = found.to_json()
    assert record["samples_per_query"] == samples
    assert record["queries"] == 1000
    value = getattr(found.latency, metric) if metric else samples * 1000 / 1.4995
    assert record["value"] == pytest.approx(value, abs=1e-3)
    assert found.images_per_second == pytest.approx(samples * 1000 / 1.4995)
    assert "not an MLPerf result" in record["departs_from_mlperf"][-1]


def test_too_few_queries_give_no_value_but_how_long_it_takes():
    found = evaluate(find("multi-stream"), 8, ((10 * MS,) * 30,))
    assert found.value is None
    assert found.to_json()["value"] is None
    seconds = int(found.note.rsplit(" ", 1)[1])
    assert seconds * 100 >= 662
