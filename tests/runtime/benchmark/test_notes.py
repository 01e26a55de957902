"""What a benchmark says besides its numbers."""

from dataclasses import replace

import pytest

from runtime.benchmark.latency import Latency
from runtime.benchmark.notes import remarks
from runtime.benchmark.result import Power, Timing
from runtime.benchmark.throughput import Rate
from runtime.host import PowerState, host, risen


class Engine:
    """Stands for a backend whose file takes so many images at a time."""

    def __init__(self, size=-1, fallback=""):
        self.fallback = fallback
        self.input = type("Input", (), {"shape": (size, 8, 8, 1)})


def said(found, size=-1):
    return " | ".join(remarks(found, Engine(size)))


def test_a_calm_run_needs_no_remark(make_result):
    assert said(make_result()) == ""


def test_a_flag_that_rose_taints_the_run(make_result):
    before, after = PowerState(throttled=0x50000), PowerState(throttled=0x50004)
    power = Power(before, after, risen(before, after))
    assert "tainted: throttled during the run" in said(make_result(power=power))
    assert power.to_json()["tainted"] is True


def test_a_gpu_that_was_not_taken_is_told(make_result):
    (note,) = remarks(make_result(), Engine(fallback="no adapter"))
    assert note == "on the CPU, not on a GPU: no adapter"


def test_an_emulated_processor_is_told(make_result):
    machine = replace(host(), cores=2, virtual="emulated")
    assert "no number here is that of a real one" in said(make_result(host=machine))


@pytest.mark.parametrize(("after", "told"), [(2400.0, False), (2200.0, False), (1500.0, True)])
def test_a_clock_that_fell_is_told(make_result, after, told):
    power = Power(PowerState(clock_mhz=2400.0), PowerState(clock_mhz=after, governor="ondemand"))
    assert ("from 2400 to 1500 MHz" in said(make_result(power=power))) == told
    assert power.to_json()["tainted"] is False


@pytest.mark.parametrize(
    ("samples", "words"), [(63, "p90 needs 64"), (64, "p99 needs 662"), (662, "")]
)
def test_missing_percentiles_are_told(make_result, samples, words):
    timing = Timing(Latency.of([1_000_000] * samples), 1000.0)
    text = said(make_result(timing))
    assert words in text
    assert bool(text) == bool(words)


def test_a_disturbed_timing_is_told(make_result):
    times = [1_000_000] * 700 + [90_000_000] * 20
    assert "something disturbed" in said(make_result(Timing(Latency.of(times), 1.0)))


def test_a_batch_that_is_cut_up_is_told(make_result):
    latency = Latency.of([1_000_000] * 700)
    timing = Timing(latency, 1.0, throughput=(Rate(1, 1, 1.0), Rate(8, 1, 1.0)))
    assert "takes 1 image at a time" in said(make_result(timing), 1)
    assert said(make_result(timing), -1) == ""


def test_more_threads_than_cores_are_told(make_result):
    assert "4 threads share 2 cores" in said(make_result(threads=4))


def test_a_call_of_many_images_that_is_cut_up_is_told(make_result):
    timing = Timing(Latency.of([1_000_000] * 700), 1.0, batch=8)
    assert "takes 1 image at a time" in said(make_result(timing), 1)
    assert said(make_result(timing), 8) == ""
    assert said(make_result(), 8) == ""


def test_missing_percentiles_may_be_left_out(make_result):
    timing = Timing(Latency.of([1_000_000] * 63), 1000.0)
    assert remarks(make_result(timing), Engine(), percentiles=False) == ()
