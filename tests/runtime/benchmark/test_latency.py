"""How long a call takes, measured."""

import gc
import time
from itertools import pairwise

import pytest

from runtime.benchmark import Latency, measure_interleaved, measure_latency
from runtime.benchmark import latency as module
from runtime.benchmark.latency import P90_SAMPLES, P99_SAMPLES, measure_turns, repeat, summary
from runtime.errors import InputError


def test_a_sleeping_call_is_timed_within_a_factor():
    found = measure_latency(lambda: time.sleep(0.004), seconds=0.3)
    assert 4.0 <= found.min_ms <= found.median_ms < 12.0
    assert found.samples >= 10


def test_the_slower_of_two_is_found_to_be_slower_by_its_factor():
    fast, slow = measure_interleaved(
        [lambda: time.sleep(0.002), lambda: time.sleep(0.010)], seconds=0.4
    )
    assert 3.0 < slow.median_ms / fast.median_ms < 7.0


def test_the_runs_take_turns(monkeypatch):
    monkeypatch.setattr(module, "_warm_up", lambda run: None)
    calls = []

    def run(name):
        return lambda: (calls.append(name), time.sleep(0.001))

    measure_interleaved([run("a"), run("b")], seconds=0.2)
    changes = sum(one != other for one, other in pairwise(calls))
    assert changes >= 2 * module._LEAST_TURNS - 1
    assert 0.3 < calls.count("a") / len(calls) < 0.7


def test_a_moment_of_slowness_does_not_hit_one_run_alone():
    """For the first half of the time every call takes three times as long."""
    start = time.perf_counter()

    def run():
        time.sleep(0.003 if time.perf_counter() - start < 0.5 else 0.001)

    one, other = measure_interleaved([run, run], seconds=0.4)
    assert one.median_ms == pytest.approx(other.median_ms, rel=0.5)


def test_a_very_slow_call_ends_in_time_and_is_timed_three_times():
    start = time.perf_counter()
    found = measure_latency(lambda: time.sleep(0.12), seconds=0.05)
    assert time.perf_counter() - start < 2.0
    assert found.samples == 3


def test_the_first_call_of_a_slice_is_not_counted(monkeypatch):
    """It refills the caches; here it is told apart by taking longer, on a clock of its own."""
    now, durations = [0], iter([5_000_000] + [500_000] * 100)

    def run():
        now[0] += next(durations)

    monkeypatch.setattr(module, "perf_counter_ns", lambda: now[0])
    assert module._one_slice(run, 10_000_000) == (500_000,) * 10


@pytest.mark.parametrize(("percent", "samples"), [(90, P90_SAMPLES), (99, P99_SAMPLES)])
def test_the_least_samples_are_those_of_mlperf(percent, samples):
    """The fewest whose second slowest is above the true percentile, 99 times of 100."""
    stats = pytest.importorskip("scipy").stats
    slower = 1 - percent / 100
    assert stats.binom.cdf(1, samples, slower) <= 0.01 < stats.binom.cdf(1, samples - 1, slower)


@pytest.mark.parametrize(("samples", "known"), [(63, 0), (64, 1), (661, 1), (662, 2)])
def test_percentiles_need_enough_samples(samples, known):
    found = Latency.of([1_000_000] * samples).to_json()
    tails = [found["p90"], found["p99"]]
    assert tails == [1.0] * known + [None] * (2 - known)


def test_a_latency_is_summed_up():
    found = Latency.of([1_000_000] * 890 + [3_000_000] * 90 + [11_000_000] * 20)
    assert found == Latency(1.0, 1.0, 3.0, 11.0, pytest.approx(1.38), 1000)
    assert list(found.to_json()) == ["min", "p50", "p90", "p99", "mean", "samples"]


def test_turns_pair_the_runs():
    fast, slow = measure_turns([lambda: None, lambda: time.sleep(0.002)], seconds=0.1)
    assert len(fast) == len(slow) >= module._LEAST_TURNS
    assert summary(slow).samples == sum(map(len, slow))
    assert min(min(turn) for turn in slow) > max(sorted(turn)[len(turn) // 2] for turn in fast)


def test_repeated_calls_are_all_counted():
    calls = []
    found = repeat(lambda: (calls.append(1), time.sleep(0.002)), 0.1)
    assert len(calls) - module._WARM_UP_CALLS == len(found) >= 10
    assert len(repeat(lambda: time.sleep(0.02), 0.001)) == 1


def test_garbage_collection_is_off_while_timing_and_as_before_after_it():
    seen = set()
    measure_latency(lambda: seen.add(gc.isenabled()), seconds=0.01)
    assert seen == {False}
    assert gc.isenabled()

    def broken():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measure_latency(broken, seconds=0.01)
    assert gc.isenabled()


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_a_time_that_is_none_is_refused(seconds):
    with pytest.raises(InputError, match="above 0"):
        measure_latency(time.time, seconds)
    with pytest.raises(InputError, match="above 0"):
        repeat(time.time, seconds)


def test_nothing_to_time_is_refused():
    with pytest.raises(InputError, match="nothing to measure"):
        measure_interleaved([])
    with pytest.raises(InputError, match="no call"):
        Latency.of([])
