"""A model file in a process of its own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runtime.backends import BackendOptions
from runtime.errors import BackendError, InputError, IntegrityError
from runtime.proc import colon_fields
from runtime.workers import probe, probe_service
from runtime.workers.probe import peak_memory


def test_a_fresh_process_takes_far_less_than_this_one(tiny):
    """Its own memory counts, not that of the program that starts it."""
    pytest.importorskip("onnxruntime")
    ballast = np.ones(60_000_000, np.float64)  # touched: 480 MB
    own = probe_service.own_peak() / 1e6
    found = peak_memory(tiny.path)
    assert own > ballast.nbytes / 1e6
    assert 20 < found < 200
    assert found < own / 2


def test_what_the_file_needs_is_counted(make_onnx, tmp_path):
    pytest.importorskip("onnxruntime")
    small, large = tmp_path / "small.onnx", tmp_path / "large.onnx"
    small.write_bytes(make_onnx((1, 8, 8, 1), 3))
    large.write_bytes(make_onnx((1, 1000, 1000, 1), 20))  # 80 MB of weights
    assert peak_memory(large) - peak_memory(small) > 80


def test_no_tensorflow_is_loaded_by_it():
    code = (
        "import sys, runtime.workers.probe_service as m; "
        "m.run_once(sys.argv[1], 'auto', {}); "
        "sys.exit(bool({'tensorflow', 'keras', 'toolkit', 'exporters'} & set(sys.modules)))"
    )
    model = Path(__file__).parents[3] / "examples/models/mnist-cnn.int8.tflite"
    subprocess.run([sys.executable, "-c", code, str(model)], check=True, capture_output=True)


def test_a_folder_called_runtime_where_the_user_stands_is_not_imported(tiny, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    assert peak_memory(tiny.path.resolve()) > 20


def test_the_engine_and_its_threads_are_passed_on(tiny):
    with pytest.raises(BackendError, match=r"runs \.tflite files"):
        peak_memory(tiny.path, "litert")
    with pytest.raises(BackendError, match="no GPU support"):
        peak_memory(tiny.path, "onnxruntime", BackendOptions("gpu"))


def test_a_bad_file_raises_its_own_error(tiny, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        peak_memory(tmp_path / "gone.onnx")
    data = bytearray(tiny.data)
    data[50] ^= 1
    (tmp_path / "damaged.onnx").write_bytes(data)
    with pytest.raises(IntegrityError, match=r"damaged\.onnx"):
        peak_memory(tmp_path / "damaged.onnx")


def test_an_engine_that_kills_python_is_reported(tiny, monkeypatch, tmp_path):
    """A bad wheel does that; its signal must not reach this process."""
    (tmp_path / "sitecustomize.py").write_text("import os; os.kill(os.getpid(), 4)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BackendError, match=r"process of its own: .* -4"):
        peak_memory(tiny.path)


def test_a_process_that_hangs_is_ended(tiny):
    found = probe.probe(tiny.path, seconds=0.01)
    assert found.error == "no reply after 0.01 s"
    assert found.kind == probe.TIMEOUT


def test_an_unexpected_error_is_reported_by_its_name(tiny, monkeypatch, tmp_path):
    (tmp_path / "onnxruntime").mkdir()
    (tmp_path / "onnxruntime" / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = probe.probe(tiny.path, "onnxruntime")
    assert (found.kind, found.code) == ("AttributeError", 0)
    assert found.error.startswith("AttributeError: module 'onnxruntime' has no attribute")


def test_another_interpreter_can_be_used(tiny, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho broken >&2\nkill -SEGV $$\n")
    python.chmod(0o755)
    found = probe.probe(tiny.path, python=python)
    assert (found.code, found.stderr) == (-11, "broken\n")
    assert found.error == "the process ended with code -11"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_without_proc_the_system_call_serves(monkeypatch):
    own = probe_service.own_peak()
    monkeypatch.setattr(probe_service, "colon_fields", lambda text: {})
    assert probe_service.own_peak() == pytest.approx(own, rel=0.5)


def test_lines_of_proc_are_read_as_fields():
    text = "VmHWM:\t  123 kB\nodd line\nmodel name : A: B\n"
    fields = colon_fields(text)
    assert fields["VmHWM"] == "123 kB"
    assert fields["model name"] == "A: B"


def test_what_the_user_put_first_in_the_search_path_comes_first_there_too(tmp_path, monkeypatch):
    """Else the probe would find a sound engine where the user's program finds a broken one."""
    (tmp_path / "ai_edge_litert").mkdir()
    (tmp_path / "ai_edge_litert" / "__init__.py").write_text("import os; os.kill(os.getpid(), 4)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    model = Path(__file__).parents[3] / "examples/models/mnist-cnn.int8.tflite"
    assert probe.probe(model, "litert").code == -4
