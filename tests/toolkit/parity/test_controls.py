"""The gate itself is tested: files that are broken on purpose must fail."""

from dataclasses import replace

import pytest

from runtime.errors import InputError
from runtime.modelfile import artifact as artifacts
from toolkit.export.request import ExportOptions, build_request
from toolkit.parity import Reference, budget_for
from toolkit.parity.controls import CONTROLS, Base, self_check

# What the reason must speak of, so that it points at the cause.
CAUSES = {
    "one weight byte flipped": "weights is not the Keras model's",
    "two labels swapped": "its labels are in another order",
    "pixels not divided by 255": "preprocessing mismatch: on the same arrays the file agrees",
    "polarity inverted": "preprocessing mismatch",
    "wrong zero point": "zero point",
    "calibrated on noise": "calibrat",
}


@pytest.fixture(scope="module")
def request_(trained):
    return build_request(trained, ExportOptions(()), calibrate=True)


@pytest.fixture(scope="module")
def images(trained):
    """Enough for every control: images and labels."""
    return trained.dataset.x_test[:120], trained.dataset.y_test[:120]


@pytest.fixture(scope="module")
def run(trained, exports, request_, images):
    def _run(name):
        base = Base(artifacts.read(exports[name]), request_)
        results = self_check(base, Reference.of(trained), *images)
        return {result.control: result for result in results}

    return _run


@pytest.mark.parametrize("name", ["tflite-int8", "onnx-int8"])
def test_every_control_is_caught_and_its_cause_is_named(run, name):
    results = run(name)
    assert set(results) == set(CONTROLS) == set(CAUSES)
    for control, result in results.items():
        assert result.caught is True, (control, result.reasons)
        assert any(CAUSES[control] in reason for reason in result.reasons), (control, result)


@pytest.mark.parametrize("name", ["tflite", "onnx", "tflite-dynamic"])
def test_a_float_input_has_no_zero_point_and_no_calibration(run, name):
    results = run(name)
    apply = {control for control, result in results.items() if result.caught is not None}
    assert apply == set(CONTROLS) - {"wrong zero point", "calibrated on noise"}
    assert all(results[control].caught for control in apply)


def test_a_file_that_fails_by_itself_proves_nothing(trained, exports, request_, images):
    strict = replace(budget_for("tflite-int8"), max_abs_error=1e-6)
    base = Base(artifacts.read(exports["tflite-int8"]), request_, strict)
    (result,) = self_check(base, Reference.of(trained), *images)
    assert result.caught is None
    assert "itself fails the gate" in result.reasons[0]


def test_a_file_of_another_tool_cannot_be_checked(trained, exports, request_, tmp_path):
    path = tmp_path / "bare.tflite"
    path.write_bytes(artifacts.payload(artifacts.read(exports["tflite"])))
    base = Base(artifacts.read(path), request_)
    with pytest.raises(InputError, match="no manifest"):
        _ = base.manifest
