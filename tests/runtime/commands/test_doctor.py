"""``runtime doctor`` on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

from runtime.backends import registry

ROOT = Path(__file__).parents[3]
KEYS = {"name", "available", "version", "device", "problem", "fix"}


@pytest.fixture(scope="module")
def report():
    """Its JSON, and how long it took."""
    pytest.importorskip("ai_edge_litert")
    start = perf_counter()
    command = [sys.executable, "-P", "-m", "runtime", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) | {"seconds": perf_counter() - start, "stderr": done.stderr}


def test_every_backend_of_the_registry_is_there(report):
    assert [one["name"] for one in report["backends"]] == list(registry())
    assert all(one.keys() >= KEYS for one in report["backends"])


def test_json_has_the_keys_that_others_rely_on(report):
    assert report.keys() == {
        "backends", "host", "power", "warnings", "seconds", "stderr"
    }  # fmt: skip
    assert report["host"].keys() >= {"cpu", "cores", "architecture", "board", "features"}
    assert report["host"].keys() >= {"memory_mb", "page_size", "gpus"}
    assert report["power"].keys() >= {"temperature_c", "clock_mhz", "governor", "throttled"}


def test_it_says_what_to_do_next_and_nothing_else_on_stderr(report):
    assert report["stderr"] == "\nNext: runtime verify MODEL.tflite\n"


def test_it_takes_seconds_not_minutes(report):
    assert report["seconds"] < 30  # 1.3 s on an idle machine with two cores


def test_one_engine_can_be_requested(runtime_cli):
    pytest.importorskip("onnxruntime")
    result = runtime_cli("doctor", "--backend", "onnxruntime", "--device", "cpu", "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["backends"]
    assert (found["name"], found["status"], found["gpu"]) == ("onnxruntime", "works", None)
    assert result.stderr.strip() == "Next: runtime verify MODEL.onnx"


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("raise ImportError('libopenblas.so.0: cannot open shared object file')", "libopenblas0"),
        ("import os; os.kill(os.getpid(), 4)", "pip install --force-reinstall numpy"),
    ],
)
def test_a_broken_numpy_is_one_line_with_the_fix(tmp_path, code, fix):
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    command = [sys.executable, "-P", "-m", "runtime", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 3
    assert done.stderr.startswith("Error: numpy cannot be imported")
    assert done.stderr.strip().endswith(fix)
    assert len(done.stderr.strip().splitlines()) == 1
