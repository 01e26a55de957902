"""The tiny models: made by make_tiny.py, and answered as computed by hand."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest

from runtime.doctor.diagnoses import EXPECTED
from runtime.doctor.examine import _FOLDER
from runtime.model import from_artifact
from runtime.modelfile import artifact as artifacts

NAMES = ["tiny.tflite", "tiny.onnx", "tiny-float.tflite", "tiny-float.onnx"]


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location(
        "make_tiny", Path(__file__).with_name("make_tiny.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_answer_is_what_numpy_computes_from_the_weights(maker):
    """Filters, ReLU, 8-bit integers, dense layer, softmax: written out once more."""
    grey = 127 / 255
    features = np.maximum(maker.filters().astype(float).sum(axis=(1, 2, 3)) * grey, 0)
    steps = np.round(features * 255)
    assert steps.tolist() == [0, 0, 0, 0, 60, 120, 180, 240]
    sums = (maker.dense().astype(int) * steps.astype(int)).sum(axis=(1, 2))
    logits = np.round(sums * maker.WEIGHT_SCALE / 255 / maker.LOGIT_SCALE) * maker.LOGIT_SCALE
    powers = np.exp(logits)
    np.testing.assert_allclose(logits, np.arange(4) * math.log(2), atol=1e-9)
    np.testing.assert_allclose(powers / powers.sum(), EXPECTED, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_files_are_small_sealed_and_right(name):
    file = artifacts.read(_FOLDER / name)
    assert file.integrity == artifacts.SEALED
    assert len(file.data) < 4096
    with from_artifact(file) as classifier:
        grey = np.full((1, *classifier.spec.shape), 127, np.uint8)
        np.testing.assert_allclose(classifier.predict_batch(grey)[0], EXPECTED, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_files_are_those_that_the_script_makes(maker, name):
    pytest.importorskip("onnx")
    pytest.importorskip("ai_edge_litert")
    made = artifacts.Artifact(Path(name), maker.files()[name], None, "")
    assert artifacts.payload(made) == artifacts.payload(artifacts.read(_FOLDER / name))
