"""``auto``: the GPU if another process proves it, else the CPU with the reason."""

import re

import pytest

from runtime.backends import BackendOptions
from runtime.backends.onnxruntime import OnnxRuntime
from runtime.errors import DeviceUnavailableError, InputError
from runtime.workers import probe as probing
from runtime.workers.opening import open_backend
from runtime.workers.probe import Probe

pytest.importorskip("onnxruntime")
AUTO = BackendOptions("auto", precision="float16", providers=("webgpu",))


@pytest.fixture
def probed(monkeypatch):
    """Arguments of the probes; the engine sees no obstacle."""
    calls = []
    monkeypatch.setattr(OnnxRuntime, "gpu_obstacle", classmethod(lambda *_: ""))

    def probe(path, backend, options):
        calls.append((path.name, path.read_bytes(), backend, options))
        return Probe(error="it died of signal 11")

    monkeypatch.setattr(probing, "probe", probe)
    return calls


def test_what_fails_in_the_other_process_runs_on_the_cpu(tiny, probed):
    with open_backend(tiny, "auto", AUTO) as engine:
        assert (engine.device, engine.accelerator) == ("cpu", "")
        assert engine.fallback == "onnxruntime on a GPU: it died of signal 11"
    ((name, data, backend, options),) = probed
    assert (name, data, backend) == (tiny.path.name, tiny.data, "onnxruntime")
    assert options == BackendOptions("gpu", precision="float16", providers=("webgpu",))


def test_without_a_gpu_no_process_is_started(tiny, probed, monkeypatch):
    monkeypatch.setattr(OnnxRuntime, "gpu_obstacle", classmethod(lambda *_: "no card"))
    with open_backend(tiny, "onnxruntime", BackendOptions("auto")) as engine:
        assert engine.fallback == "no card"
    assert probed == []


def test_what_fails_in_this_process_after_a_good_probe_runs_on_the_cpu(tiny, probed, monkeypatch):
    monkeypatch.setattr(probing, "probe", lambda *args: Probe())
    with open_backend(tiny, "auto", BackendOptions("auto")) as engine:
        assert engine.device == "cpu"
        assert "no GPU support" in engine.fallback


def test_what_was_opened_and_refused_is_logged(tiny, probed, caplog):
    caplog.set_level("DEBUG", "runtime")
    open_backend(tiny, "auto", AUTO).close()
    refused, opened, fallback = caplog.messages
    assert (
        refused == "tiny.onnx: no GPU with onnxruntime: onnxruntime on a GPU: it died of signal 11"
    )
    assert re.fullmatch(r"tiny\.onnx: opened in onnxruntime [\d.]+ on cpu", opened)
    assert fallback.startswith("tiny.onnx runs on the CPU: ")


def test_a_requested_cpu_is_not_a_fallback(tiny, probed):
    with open_backend(tiny, "auto", BackendOptions()) as engine:
        assert engine.fallback == ""
    assert probed == []


def test_gpu_itself_never_falls_back(tiny, probed):
    with pytest.raises(DeviceUnavailableError):
        open_backend(tiny, "auto", BackendOptions("gpu"))


def test_settings_for_a_gpu_are_refused_for_the_cpu():
    with pytest.raises(InputError):
        BackendOptions("cpu", precision="float16")
