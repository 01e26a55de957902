"""Shipped model files, one of them open."""

from __future__ import annotations

from pathlib import Path

import pytest

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
