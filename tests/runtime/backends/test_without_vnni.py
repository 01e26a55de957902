"""Settings of the engines on an x86 processor without VNNI; tests/pi shows that it helps."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from runtime import proc
from runtime.backends.onnxruntime import session_settings
from runtime.backends.openvino import OpenVino
from runtime.modelfile import artifact as artifacts

MODELS = Path(__file__).parents[3] / "examples" / "models"


@pytest.fixture(params=["", " avx512_vnni"], ids=["without", "with"])
def lacking(request, tmp_path, monkeypatch):
    """An x86 processor, without and with VNNI; whether it lacks it."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(f"flags : avx2 avx512f{request.param}\n")
    monkeypatch.setattr(proc, "ROOT", tmp_path)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return not request.param


def test_onnxruntime_takes_unsigned_weights(lacking):
    ort = pytest.importorskip("onnxruntime")
    settings = session_settings(ort, 1)
    if lacking:
        assert settings.get_session_config_entry("session.x64quantprecision") == "1"
    else:
        with pytest.raises(RuntimeError, match="x64quantprecision"):
            settings.get_session_config_entry("session.x64quantprecision")


def test_openvino_computes_in_float(lacking):
    if not OpenVino.installed():
        pytest.skip("openvino is not installed")
    with OpenVino(artifacts.read(MODELS / "mnist-cnn.int8.onnx")) as engine:
        nodes = engine._request.get_compiled_model().get_runtime_model().get_ops()
        details = [{key: str(value.value) for key, value in n.get_rt_info().items()} for n in nodes]
    convolutions = [one for one in details if one["layerType"] == "Convolution"]
    kernels = {one["primitiveType"].rpartition("_")[2].lower() for one in convolutions}
    assert kernels == ({"f32"} if lacking else {"i8"})
