"""What is special about OpenVINO; what it shares with the others is in tests/contracts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.backends import BackendOptions
from runtime.backends.litert import LiteRt
from runtime.backends.openvino import OpenVino
from runtime.backends.openvino_tensors import image_tensors
from runtime.errors import BackendError
from runtime.modelfile import artifact as artifacts

if not OpenVino.installed():  # importorskip would import it with its telemetry
    pytest.skip("openvino is not installed", allow_module_level=True)
MODELS = Path(__file__).parents[3] / "examples" / "models"
INT8 = MODELS / "mnist-cnn.int8.tflite"
FILES = sorted(path for path in MODELS.iterdir() if path.suffix in OpenVino.suffixes)


@pytest.fixture
def batch(rng):
    """Four noisy images in model units."""
    return rng.random((4, 28, 28, 1), np.float32)


def test_importing_and_running_it_writes_nothing_and_reaches_for_no_network(tmp_path):
    code = f"""
import json, socket, sys
def refuse(*_): raise SystemExit("a socket was opened")
socket.socket = refuse
import runtime
with runtime.load({str(INT8)!r}, backend="openvino") as classifier:
    import numpy as np
    prediction = classifier.predict(np.zeros((28, 28), np.uint8))
import openvino.tools.ovc.telemetry_utils as used
print(json.dumps([used.tm.__name__, "openvino_telemetry" in sys.modules, prediction.label]))
"""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    env = {k: v for k, v in os.environ.items() if k != "CI"}
    env |= {"HOME": str(home), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env=env | {"PYTHONPATH": str(MODELS.parents[1])},
    )
    assert done.returncode == 0, done.stderr
    stub, left, _ = json.loads(done.stdout.splitlines()[-1])
    assert stub == "openvino.tools.ovc.telemetry_stub"
    assert not left
    assert [*home.iterdir(), *temporary.iterdir()] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_runs_every_file_of_the_examples(path, batch):
    with OpenVino(artifacts.read(path)) as engine:
        outputs = engine.run(batch)
    np.testing.assert_allclose(outputs.sum(axis=1), 1, atol=0.02)


def test_scales_that_the_engine_does_not_tell_are_those_that_litert_tells(batch):
    pytest.importorskip("ai_edge_litert")
    file = artifacts.read(INT8)
    bare = replace(file, manifest=None)  # so that they cannot come from the manifest
    with OpenVino(bare) as ours, LiteRt(bare) as theirs:
        assert ours.input == theirs.input
        assert ours.output == theirs.output
        assert ours.input.scale
        np.testing.assert_array_equal(ours.run(batch), theirs.run(batch))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_reader_of_tensors_agrees_with_litert(path):
    pytest.importorskip("ai_edge_litert")
    if path.suffix != ".tflite":
        pytest.skip("it reads .tflite files")
    file = artifacts.read(path)
    with LiteRt(file) as theirs:
        assert image_tensors(file.data) == (theirs.input, theirs.output)


@pytest.mark.parametrize("data", [b"", b"\x0c\0\0\0TFL3\4\0\4\0\4\0\0\0", b"\xff" * 64])
def test_bytes_without_tensors_are_a_backend_error(data):
    with pytest.raises(BackendError, match="has no input and output tensor"):
        image_tensors(data)


def test_a_manifest_with_another_scale_is_refused():
    file = artifacts.read(INT8)
    wrong = replace(file.manifest, input=replace(file.manifest.input, scale=0.5))
    with pytest.raises(BackendError, match="openvino finds are not those of its manifest"):
        OpenVino(replace(file, manifest=wrong))


def test_float_files_are_computed_in_float32(batch):
    path = MODELS / "mnist-cnn.float32.onnx"
    with OpenVino(artifacts.read(path)) as engine:
        used = engine._request.get_compiled_model()
        assert used.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
        assert used.get_property("NUM_STREAMS") == 1
        if LiteRt.installed():
            same = path.with_name("mnist-cnn.float32.tflite")
            with LiteRt(artifacts.read(same)) as other:
                np.testing.assert_allclose(engine.run(batch), other.run(batch), atol=2e-6)


def test_as_many_threads_as_requested_and_none_of_them_pinned():
    with OpenVino(artifacts.read(INT8), BackendOptions(threads=2)) as engine:
        used = engine._request.get_compiled_model()
        assert used.get_property("INFERENCE_NUM_THREADS") == 2
        assert not used.get_property("ENABLE_CPU_PINNING")


def test_a_file_with_a_free_batch_runs_a_batch_in_one_call(batch, monkeypatch):
    with OpenVino(artifacts.read(MODELS / "mnist-cnn.int8.onnx")) as engine:
        assert engine.input.shape[0] == -1
        calls = []
        real = engine._run
        monkeypatch.setattr(engine, "_run", lambda part: calls.append(len(part)) or real(part))
        engine.run(batch)
    assert calls == [4]


def test_missing_outputs_without_an_error_are_an_error(batch, monkeypatch):
    """OpenVINO 2026.4.1 did so in an emulated Cortex-A72."""
    with OpenVino(artifacts.read(MODELS / "mnist-cnn.int8.onnx")) as engine:
        nothing = SimpleNamespace(
            set_input_tensor=lambda _: None,
            infer=lambda **_: None,
            get_output_tensor=lambda: SimpleNamespace(data=np.empty((0, 10), np.float32)),
        )
        monkeypatch.setattr(engine, "_request", nothing)
        with pytest.raises(
            BackendError, match="returned 0 outputs for 4 images: it cannot run mnist"
        ):
            engine.run(batch)


def test_a_refusal_says_what_is_wrong_in_one_line(tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(bytes.fromhex("08083a00"))  # an empty graph
    with pytest.raises(BackendError, match=r"^openvino [\d.]+ refuses a\.onnx: \w") as raised:
        OpenVino(artifacts.read(path))
    assert "Exception from" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_gpu_is_refused_with_the_engines_that_use_one():
    from runtime.errors import DeviceUnavailableError

    with pytest.raises(DeviceUnavailableError, match="litert and onnxruntime use GPUs"):
        OpenVino(artifacts.read(INT8), BackendOptions("gpu"))


def test_engines_in_two_threads_predict_as_one_does(batch):
    found = {}

    def work(key):
        with OpenVino(artifacts.read(INT8)) as engine:
            found[key] = [engine.run(batch) for _ in range(20)]

    workers = [threading.Thread(target=work, args=(key,)) for key in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    np.testing.assert_array_equal(found[0], found[1])
