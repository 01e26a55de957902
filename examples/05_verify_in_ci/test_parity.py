"""05: a test for your own CI that fails if a model file no longer predicts what Keras predicts.

Copy it beside your model, change the three paths, and run pytest. It needs
`pip install "edge-toolkit[export,litert,onnx]"` and a few test images.
"""

import json
import os
import shlex
import subprocess
import sys

import pytest

MODEL = os.environ.get("MODEL", "model.keras")
DATA = os.environ.get("DATA", "images.npz")
FILES = shlex.split(os.environ.get("FILES", "model.int8.tflite model.float32.onnx"))


@pytest.mark.parametrize("file", FILES)
def test_the_file_predicts_what_the_keras_model_predicts(file):
    """The gate compares labels, probabilities, weights and preprocessing in the real engine."""
    command = [sys.executable, "-m", "toolkit", "verify", file, "--against", MODEL]
    done = subprocess.run(
        [*command, "--data", DATA, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr  # others: it could not be compared at all
    report = json.loads(done.stdout)
    sentences = [f"{one['verdict']}: {one['sentence']}" for one in report["artifacts"]]
    assert report["verdict"] == "pass", "\n".join(sentences)
