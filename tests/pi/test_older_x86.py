"""int8 on an x86 processor without VNNI, where sums of 8-bit products saturate."""

from __future__ import annotations

import json

import older_x86
import pytest
from debian import NotAvailableError
from wheels import ROOT

from runtime.backends import registry
from runtime.doctor.diagnoses import EXPECTED

MODELS = ROOT / "examples" / "models"
TINY = ROOT / "runtime" / "doctor" / "tiny.onnx"


@pytest.fixture(scope="module", autouse=True)
def emulator():
    """Skip, with the reason, where there is no emulator."""
    try:
        older_x86.emulator()
    except NotAvailableError as error:
        pytest.skip(str(error))


RUN_ONCE = """
import json, sys
from runtime.workers.probe_service import run_once
print(json.dumps(run_once(sys.argv[1], sys.argv[2], {})))
"""


def need(engine):
    """Skip where an engine is not installed; importorskip would import it on this processor."""
    if not registry()[engine].installed():
        pytest.skip(f"{engine} is not installed")


def tiny(root, engine, flags):
    """Return what an engine predicts of the doctor's model."""
    done = older_x86.run(root, flags, "-c", RUN_ONCE, TINY, engine)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["probabilities"]


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_the_doctor_finds_the_engine_right(tmp_path, engine):
    need(engine)
    assert tiny(tmp_path, engine, older_x86.FLAGS) == pytest.approx(EXPECTED, abs=1e-5)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_without_the_setting_the_sums_would_saturate(tmp_path, engine):
    """Or the test above would show nothing: here the processor is said to have VNNI."""
    need(engine)
    predicted = tiny(tmp_path, engine, f"{older_x86.FLAGS} avx_vnni")
    assert predicted != pytest.approx(EXPECTED, abs=0.02)


def test_the_shipped_int8_file_passes_its_self_test(tmp_path):
    need("onnxruntime")
    model = MODELS / "mnist-cnn.int8.onnx"
    done = older_x86.run(tmp_path, older_x86.FLAGS, "-m", "runtime", "verify", model, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["verdict"], report["agreement"]) == ("pass", 1.0)
