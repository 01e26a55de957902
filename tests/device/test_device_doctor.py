"""``runtime doctor`` in environments of its own: what it finds, and that its command mends it."""

import json
import shlex
import subprocess

import pytest

pytestmark = pytest.mark.slow


def doctor(environment):
    result = environment.run("doctor", "--json")
    return result, {one["name"]: one for one in json.loads(result.stdout)["backends"]}


def test_a_device_with_one_engine_is_healthy(litert_environment):
    result, engines = doctor(litert_environment)
    assert result.returncode == 0
    assert engines["litert"]["status"] == "works"
    assert engines["onnxruntime"]["status"] == engines["tflite-runtime"]["status"] == "missing"
    assert engines["onnxruntime"]["fix"] == 'pip install "edge-toolkit[onnx]"'
    assert result.stderr == "\nNext: runtime verify MODEL.tflite\n"


def test_numpy_2_under_tflite_runtime_is_told_and_the_command_mends_it(numpy_2_environment):
    result, engines = doctor(numpy_2_environment)
    assert result.returncode == 3
    found = engines["tflite-runtime"]
    assert found["status"] == "broken"
    assert found["problem"].startswith("tflite-runtime 2.14.0 was built for numpy 1, and numpy 2.")
    assert found["fix"] == 'pip install "numpy<2"'
    command = [numpy_2_environment.python, "-m", *shlex.split(found["fix"])]
    subprocess.run(command, check=True, capture_output=True)
    result, engines = doctor(numpy_2_environment)
    assert result.returncode == 0
    assert engines["tflite-runtime"]["status"] == "works"
    assert engines["tflite-runtime"]["problem"] is None
