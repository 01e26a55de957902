"""The tree of errors: what a caller may catch, and what the messages hold."""

from __future__ import annotations

import inspect

import pytest

from runtime import errors
from runtime.errors import EdgeError, MissingDependencyError, UnknownNameError

CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, EdgeError)]


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_drawn_in_the_tree_and_has_an_exit_code(kind):
    assert kind.__name__ in errors.__doc__
    assert kind.exit_code in (1, 2, 3)


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        ("UnknownNameError", LookupError),
        ("MissingDependencyError", ImportError),
        ("BackendError", RuntimeError),
        ("DeviceUnavailableError", errors.BackendError),
        ("ArtifactError", ValueError),
        ("IntegrityError", errors.ArtifactError),
        ("InputError", ValueError),
        ("DataError", ValueError),
        ("ExportError", RuntimeError),
        ("CalibrationError", errors.ExportError),
    ],
)
def test_errors_are_also_the_builtin_ones_that_fit(kind, base):
    assert issubclass(getattr(errors, kind), base)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tflite-in8", "unknown format 'tflite-in8'. Did you mean 'tflite-int8'? Known: onnx, t"),
        ("zzz", "unknown format 'zzz'. Known: onnx, tflite-int8."),
        ("", "unknown format ''. Known: onnx, tflite-int8."),
    ],
)
def test_an_unknown_name_is_told_the_nearest_and_all_known(name, text):
    assert str(UnknownNameError("format", name, ["tflite-int8", "onnx"])).startswith(text)


def test_a_part_of_a_name_is_taken_for_the_first_that_has_it():
    known = ["tflite", "tflite-int8", "onnx-int8"]
    assert "Did you mean 'tflite-int8'?" in str(UnknownNameError("format", "int8", known))
    assert "Did you mean 'onnx-int8'?" in str(UnknownNameError("format", "int8", known[::-1]))
    assert "Did you mean 'onnx-int8'?" in str(UnknownNameError("format", "INT8", known[::-1]))
    assert "Did you mean" not in str(UnknownNameError("format", "t8", known))


def test_a_missing_package_is_told_its_purpose_and_the_command():
    assert str(MissingDependencyError("onnxruntime", "onnx", "run x")) == (
        "onnxruntime is not installed; it is needed to run x. "
        'Install it: pip install "edge-toolkit[onnx]"'
    )
