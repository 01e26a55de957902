"""The sentences: why this one, what is odd here, what to do if nothing passes."""

from types import SimpleNamespace

import pytest

from toolkit.parity import ArtifactParity
from toolkit.recommend import explanation
from toolkit.recommend.choice import Limits, Measured, judge, pick


def measured(name, ms, size=900_000, memory=55.0, **changes):
    """A file that passes; the format tells its kind."""
    values = {
        "format": name,
        "path": f"m.{name}.{'onnx' if name.startswith('onnx') else 'tflite'}",
        "backend": "onnxruntime" if name.startswith("onnx") else "litert",
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


def reason(*entries, **limits):
    judged = judge(entries, Limits(**limits))
    return explanation.why(pick(judged), judged)


FLOAT = measured("tflite", 0.66, 3_600_000)


def test_the_fastest_is_said_to_be_the_fastest():
    text = reason(FLOAT, measured("tflite-int8", 0.22))
    assert text == (
        "tflite-int8 on litert: the fastest of the 2 that pass, 0.220 ms per image; 900 kB, "
        "55 MB of memory; 3.0 times as fast as float32 and 25% of its size; accuracy as Keras's."
    )


def test_a_smaller_one_that_is_nearly_as_fast_says_so():
    text = reason(
        measured("tflite-dynamic", 0.20, 950_000),
        measured("tflite-int8", 0.21, 900_000, accuracy_delta=-0.0012),
    )
    assert "0.210 ms per image, within 10% of the fastest (tflite-dynamic on litert, 0.200" in text
    assert "and the smallest of those" in text
    assert text.endswith("accuracy 0.12 points below Keras's.")


def test_memory_is_named_where_it_decided():
    other = measured("tflite-int8", 0.20, memory=80.0, backend="tflite-runtime")
    assert "the smallest with the least memory of those" in reason(
        measured("tflite-int8", 0.21), other
    )


def test_a_faster_and_smaller_one_that_has_rivals():
    text = reason(measured("tflite-int8", 0.20), measured("tflite-dynamic", 0.21, 950_000))
    assert "the fastest of the 2 that pass, 0.200 ms per image, and the smallest" in text


def test_the_only_one_says_so_and_a_gain_is_no_loss():
    text = reason(measured("onnx", 0.5, accuracy_delta=0.001), FLOAT, max_size=1_000_000)
    assert text.startswith("onnx on onnxruntime: the only one that passes, 0.500 ms")
    assert "0.10 points above Keras's" in text


def test_no_speed_is_claimed_where_float32_is_as_fast():
    text = reason(measured("tflite-int8", 0.65, 900_000), FLOAT)
    assert "times as fast" not in text
    assert "25% of the size of float32" in text


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0.99, "int8 is not faster than float32 on this machine: tflite-int8 on litert, 0.990 ms"),
        (0.66, "int8 is not faster"),
        (0.63, "int8 is hardly faster"),
        (0.20, ""),
        (3.50, "very slow"),
    ],
)
def test_int8_that_is_not_faster_than_float32_is_reported_with_the_ratio(ms, words):
    notes = explanation.notes([FLOAT, measured("tflite-int8", ms)])
    assert len(notes) == (1 if words else 0)
    assert all(words in note and f"{ms / 0.66:.2g} times the latency" in note for note in notes)


def test_int8_is_compared_with_float32_of_its_own_engine_only():
    assert explanation.notes([FLOAT, measured("onnx-int8", 0.9)]) == ()
    other = measured("tflite-int8", 0.9, backend="tflite-runtime")
    assert explanation.notes([FLOAT, other]) == ()
    (note,) = explanation.notes([measured("onnx", 0.5), measured("onnx-int8", 0.9)])
    assert "1.8 times" in note


def test_a_very_slow_format_is_reported_though_it_is_excluded():
    slow = measured("tflite-int16x8", 20.0, verdict="fail", reasons=("x",))
    (note,) = explanation.notes(judge([FLOAT, slow], Limits()))
    assert note == (
        "tflite-int16x8 on litert is very slow on this machine: 20.0 ms against 0.660 ms, "
        "30 times the latency of float32"
    )


def test_a_busy_machine_is_reported():
    assert explanation.notes([FLOAT], 0.95) == ()
    (note,) = explanation.notes([FLOAT], 0.6)
    assert note.startswith("other programs took 40% of the processor while timing")


def test_what_was_not_measured_gives_no_note():
    assert explanation.notes([measured("tflite", None), measured("tflite-int8", 1.0)]) == ()
    assert explanation.notes([FLOAT, measured("tflite-int8", None)]) == ()


def failing(name="tflite-int8", **changes):
    return measured(name, 0.2, **({"verdict": "fail", "reasons": ("x",)} | changes))


@pytest.mark.parametrize(
    ("entries", "limits", "command"),
    [
        ([failing()], {}, "toolkit export --format tflite-int8 --max-drop 0.1"),
        ([failing()], {"max_drop": 0.3}, "toolkit export --format tflite-int8 --max-drop 0.3"),
        ([failing("onnx-int8")], {}, "toolkit export --format onnx-int8 --max-drop 0.1"),
        ([failing("onnx"), failing()], {}, "toolkit export --format tflite-int8 --max-drop 0.1"),
        (
            [failing(), FLOAT],
            {"max_size": 500},
            "toolkit recommend --backend litert --max-size 3600000",
        ),
        (  # a small file that fails can be mended
            [failing(), FLOAT],
            {"max_size": 1_000_000},
            "toolkit export --format tflite-int8 --max-drop 0.1",
        ),
        ([failing(verdict="refused")], {}, "toolkit recommend --backend auto"),
    ],
)
def test_without_a_choice_it_says_what_to_do(entries, limits, command):
    judged = judge(entries, Limits(**limits))
    assert pick(judged) is None
    assert explanation.remedy(judged, Limits(**limits)) == command
    text = explanation.why_none(judged, Limits(**limits))
    assert command.removeprefix("toolkit recommend ").removeprefix("--backend litert ") in text
    assert ("the file does not pass" if len(entries) == 1 else f"none of {len(entries)}") in text


def test_the_model_stands_in_the_command():
    entries = judge([failing()], Limits())
    assert explanation.remedy(entries, Limits(), "'my run'") == (
        "toolkit export 'my run' --format tflite-int8 --max-drop 0.1"
    )
    large = judge([FLOAT], Limits(max_size=5))
    limits = Limits(max_drop=0.5, max_size=5)
    assert explanation.remedy(large, limits, "'my run'", ("'a b.tflite'", "--limit 9")) == (
        "toolkit recommend 'a b.tflite' --limit 9 --against 'my run' --max-drop 0.5 "
        "--backend litert --max-size 3600000"
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "999 bytes"), (905_984, "906 kB"), (999_600, "1.00 MB"), (3_556_603, "3.56 MB")],
)
def test_sizes_are_readable(size, text):
    assert explanation.size_text(size) == text


@pytest.mark.parametrize(
    ("ms", "text"), [(0.1934, "0.193"), (1.234, "1.23"), (16.74, "16.7"), (167.4, "167")]
)
def test_latencies_have_three_digits(ms, text):
    assert explanation.ms_text(ms) == text
