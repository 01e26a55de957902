"""Shipped model files, and stand-ins for what a benchmark found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runtime.benchmark.fresh import Fresh
from runtime.benchmark.latency import Latency
from runtime.benchmark.result import BenchResult, Power, Setting, Timing
from runtime.host import PowerState, host
from runtime.model import from_artifact
from runtime.modelfile import artifact as artifacts

MODELS = Path(__file__).parents[3] / "examples" / "models"


@pytest.fixture(scope="session")
def int8_file():
    pytest.importorskip("ai_edge_litert")
    return MODELS / "mnist-cnn.int8.tflite"


@pytest.fixture(scope="session")
def onnx_file():
    pytest.importorskip("onnxruntime")
    return MODELS / "mnist-cnn.float32.onnx"


@pytest.fixture
def classifier(int8_file):
    with from_artifact(artifacts.read(int8_file)) as opened:
        yield opened


@pytest.fixture
def make_result():
    """Build a result of 100 million multiply-adds, one thread, in 1 ms."""

    def build(timing=None, power=None, peaks=None, **changes):
        fields = {
            "path": "a.tflite",
            "format": "tflite-int8",
            "bytes": 1,
            "sha256": "ab",
            "backend": "litert",
            "backend_version": "2",
            "device": "cpu",
            "accelerator": "",
            "precision": None,
            "threads": 1,
            "multiply_adds": 100_000_000,
            "arithmetic": "int8",
            "host": replace(host(), cores=2, virtual=""),
            "versions": {},
            "measured_at": "",
        }
        setting = Setting(**fields | changes)
        timing = timing or Timing(Latency.of([1_000_000] * 700), 1000.0)
        power = power or Power(PowerState(), PowerState())
        return BenchResult(setting, timing, Fresh(1.0, 1.0, 50.0, 1), power, 1.0, peaks)

    return build
