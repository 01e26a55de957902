"""ONNX Runtime's session, as it is set up for a device."""

import pytest

from runtime.backends import BackendOptions
from runtime.backends.onnxruntime import OnnxRuntime

ort = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("threads", [1, 3])
def test_as_many_threads_as_asked_for(tiny, monkeypatch, threads):
    asked, real = [], ort.InferenceSession

    def create(data, settings, **how):
        asked.append(settings.intra_op_num_threads)
        return real(data, settings, **how)

    monkeypatch.setattr(ort, "InferenceSession", create)
    OnnxRuntime(tiny, BackendOptions(threads=threads)).close()
    assert asked == [threads]
