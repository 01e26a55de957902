"""What is special about tflite-runtime: it is old, and breaks beside newer packages."""

import sys

import numpy as np
import pytest

from runtime.backends.tflite_runtime import TfliteRuntime
from runtime.errors import BackendError
from runtime.modelfile import artifact as artifacts


def test_tflite_runtime_says_how_to_fix_numpy_2(exports, monkeypatch):
    if not TfliteRuntime.installed():
        pytest.skip("tflite-runtime is not installed")
    monkeypatch.setattr(np, "__version__", "2.4.6")
    with pytest.raises(BackendError, match=r"built for numpy 1.*numpy<2.*edge-toolkit\[litert\]"):
        TfliteRuntime(artifacts.read(exports["tflite"]))


def test_tflite_runtime_after_tensorflow_is_refused_before_it_breaks(exports, monkeypatch):
    if not TfliteRuntime.installed() or int(np.__version__.split(".")[0]) >= 2:
        pytest.skip("tflite-runtime does not work here at all")
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    monkeypatch.delitem(sys.modules, TfliteRuntime.module)
    with pytest.raises(BackendError, match="import tflite_runtime first"):
        TfliteRuntime(artifacts.read(exports["tflite"]))
