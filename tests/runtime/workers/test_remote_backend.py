"""An engine in a process of its own, and the messages between the two."""

import os
import sys

import numpy as np
import pytest

from runtime.backends import BackendOptions
from runtime.backends.onnxruntime import OnnxRuntime
from runtime.backends.tflite_runtime import TfliteRuntime
from runtime.errors import BackendError, DeviceUnavailableError, InputError
from runtime.workers import remote_backend

pytest.importorskip("onnxruntime")


def test_a_remote_engine_returns_what_a_local_one_does(tiny):
    """On the CPU, which needs no proof."""
    batch = np.random.default_rng(0).random((5, 8, 8, 1), np.float32)
    with OnnxRuntime(tiny) as here:
        wanted = here.run(batch)
        remote = remote_backend.remote_class(OnnxRuntime)(tiny)
        assert (remote.input, remote.output) == (here.input, here.output)
        for _ in range(2):
            np.testing.assert_array_equal(remote.run(batch), wanted)
        with pytest.raises(InputError, match="expects float32"):
            remote.run(batch[:, :4])
        remote.close()
        remote.close()
        with pytest.raises((BackendError, ValueError)):
            remote.run(batch)


def test_its_refusal_is_raised_in_the_parent(tiny):
    with pytest.raises(DeviceUnavailableError, match="no GPU support"):
        remote_backend.remote_class(OnnxRuntime)(
            tiny, BackendOptions("gpu", providers=("directml",))
        )


def test_a_process_that_dies_is_an_error_and_not_the_end(tiny, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os; os.kill(os.getpid(), 11)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BackendError, match="ended with code -11"):
        remote_backend.remote_class(OnnxRuntime)(tiny)


def test_one_that_dies_while_it_runs_is_reported_and_logged(tiny, caplog):
    caplog.set_level("DEBUG", "runtime")
    remote = remote_backend.remote_class(OnnxRuntime)(tiny)
    pid = remote._process.pid
    os.kill(pid, 9)
    with pytest.raises(BackendError, match="ended with code -9"):
        remote.run(np.zeros((1, 8, 8, 1), np.float32))
    remote.close()
    process = [line for line in caplog.messages if line.startswith(f"worker process {pid} ")]
    assert process == [
        f"worker process {pid} started: runtime.workers.backend_service",
        f"worker process {pid} died with code -9",
        f"worker process {pid} ended",
    ]


def test_it_is_needed_beside_tensorflow_only(monkeypatch):
    monkeypatch.setattr(OnnxRuntime, "gpu_obstacle", classmethod(lambda *_: ""))
    gpu = BackendOptions("gpu")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert remote_backend.needs_remote(OnnxRuntime, gpu)
    assert not remote_backend.needs_remote(TfliteRuntime, gpu)
    monkeypatch.delitem(sys.modules, "tensorflow")
    assert not remote_backend.needs_remote(OnnxRuntime, gpu)
