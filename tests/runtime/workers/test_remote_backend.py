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


def test_an_engine_elsewhere_answers_as_one_here(tiny):
    """On the CPU, which the process is not asked to prove."""
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


def test_what_it_refuses_is_raised_here(tiny):
    with pytest.raises(DeviceUnavailableError, match="no GPU support"):
        remote_backend.remote_class(OnnxRuntime)(
            tiny, BackendOptions("gpu", providers=("directml",))
        )


def test_a_process_that_dies_is_an_error_and_not_the_end(tiny, monkeypatch, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os; os.kill(os.getpid(), 11)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(BackendError, match="ended with code -11"):
        remote_backend.remote_class(OnnxRuntime)(tiny)


def test_one_that_dies_while_it_runs_is_told(tiny):
    remote = remote_backend.remote_class(OnnxRuntime)(tiny)
    os.kill(remote._process.pid, 9)
    with pytest.raises(BackendError, match="ended with code -9"):
        remote.run(np.zeros((1, 8, 8, 1), np.float32))
    remote.close()


def test_it_is_needed_beside_tensorflow_only(monkeypatch):
    monkeypatch.setattr(OnnxRuntime, "gpu_obstacle", classmethod(lambda *_: ""))
    gpu = BackendOptions("gpu")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert remote_backend.needs_remote(OnnxRuntime, gpu)
    assert not remote_backend.needs_remote(TfliteRuntime, gpu)
    monkeypatch.delitem(sys.modules, "tensorflow")
    assert not remote_backend.needs_remote(OnnxRuntime, gpu)
