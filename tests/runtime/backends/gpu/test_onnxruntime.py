"""ONNX Runtime's providers: missing, silently dropped, partial; and what float32 takes."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from runtime.backends import BackendOptions
from runtime.backends.gpu import onnxruntime as gpu
from runtime.backends.gpu.binding import Binding
from runtime.backends.providers import BY_NAME
from runtime.errors import DeviceUnavailableError

ort = pytest.importorskip("onnxruntime")
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.fixture
def environment(monkeypatch):
    """The variable that turns TF32 off is set for this test only."""
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE", raising=False)
    yield
    os.environ.pop("NVIDIA_TF32_OVERRIDE", None)


def fake(session, *listed):
    """An onnxruntime that lists providers and returns a session for them."""
    created = []

    def create(data, settings, **arguments):
        created.append(arguments)
        return session

    return SimpleNamespace(
        __version__="9",
        get_available_providers=lambda: [*listed, CPU],
        SessionOptions=ort.SessionOptions,
        InferenceSession=create,
        created=created,
    )


def session_on(*providers, places=None):
    """A session that reports which providers it has and where its nodes are."""
    parts = [SimpleNamespace(ep_name=name) for name in places or providers[:1]]
    return SimpleNamespace(
        get_providers=lambda: list(providers),
        get_provider_graph_assignment_info=lambda: parts,
        disable_fallback=lambda: None,
    )


def opened(engine, **options):
    return gpu.open_session(engine, b"", BackendOptions("gpu", **options), ort.SessionOptions)


def test_this_onnxruntime_lacks_gpu_providers_and_says_how_to_install_one():
    if gpu.present(ort):
        pytest.skip("there is a GPU provider here")
    with pytest.raises(
        DeviceUnavailableError, match=r'no GPU provider.*"edge-toolkit\[onnx-gpu\]"'
    ):
        opened(ort)
    with pytest.raises(DeviceUnavailableError, match=r"not directml; for directml: .*directml"):
        opened(ort, providers=("directml",))


def test_a_provider_that_was_silently_dropped_is_found_out(environment):
    with pytest.raises(DeviceUnavailableError, match=r"cuda: onnxruntime dropped it .* CPUExec"):
        opened(fake(session_on(CPU), CUDA))


def test_a_real_session_that_lists_only_the_cpu_is_no_proof(tiny):
    session = ort.InferenceSession(tiny.data, providers=[CPU])
    with pytest.raises(DeviceUnavailableError, match="dropped it"):
        gpu.check(session, BY_NAME["cuda"])


def test_nodes_on_another_provider_are_found_out(environment):
    with pytest.raises(DeviceUnavailableError, match="a part of the model would run on CPU"):
        opened(fake(session_on(CUDA, CPU, places=[CUDA, CPU]), CUDA))


def test_a_real_strict_session_refuses_nodes_on_the_cpu(tiny, environment):
    """The provider is listed and then not there: onnxruntime-gpu without CUDA does that."""
    real = fake(None, CUDA)
    real.InferenceSession = lambda data, settings, **_: ort.InferenceSession(
        tiny.data, settings, enable_fallback=0
    )
    with pytest.raises(DeviceUnavailableError, match="a part would run on the CPU"):
        opened(real)


def test_the_first_that_is_proven_is_taken_and_refusals_are_logged(environment, caplog):
    caplog.set_level("DEBUG", "runtime")
    engine = fake(session_on(CUDA, CPU), "TensorrtExecutionProvider", CUDA)
    with pytest.raises(DeviceUnavailableError, match="tensorrt: onnxruntime dropped it"):
        opened(engine, providers=("tensorrt",))
    found = opened(engine)
    assert (found.provider.name, found.accelerator) == ("cuda", "CUDA")
    assert caplog.messages[-1].startswith(
        "onnxruntime: provider tensorrt refused: onnxruntime dropped"
    )
    tried = [arguments["providers"][0][0] for arguments in engine.created]
    assert tried == ["TensorrtExecutionProvider", "TensorrtExecutionProvider", CUDA]


def test_float32_stays_float32(environment):
    engine = fake(session_on(CUDA, CPU), CUDA)
    opened(engine)
    assert engine.created == [{"enable_fallback": 0, "providers": [(CUDA, {"use_tf32": "0"})]}]
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


def test_float16_is_requested_where_it_exists(environment):
    engine = fake(session_on("TensorrtExecutionProvider", CPU), "TensorrtExecutionProvider", CUDA)
    opened(engine, precision="float16")
    assert engine.created[0]["providers"][0][1] == {"trt_fp16_enable": "1"}
    assert "NVIDIA_TF32_OVERRIDE" not in os.environ
    with pytest.raises(DeviceUnavailableError, match=r"cuda: .*--format onnx-float16"):
        opened(engine, precision="float16", providers=("cuda",))


def test_a_library_that_is_missing_is_named(environment):
    """onnxruntime-gpu 1.31.1 writes this line and raises something else."""
    line = b"[E] Failed to load library /x/libp.so with error: libcublasLt.so.13: gone\n"

    def create(data, settings, **_):
        os.write(2, line)
        raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : nodes")

    engine = fake(None, CUDA)
    engine.InferenceSession = create
    with pytest.raises(DeviceUnavailableError, match=r"libcublasLt\.so\.13: gone; .*onnx-gpu"):
        opened(engine)


def test_coreml_has_to_show_its_plan():
    engine = fake(session_on("CoreMLExecutionProvider", CPU), "CoreMLExecutionProvider")
    with pytest.raises(DeviceUnavailableError, match="CoreML's plan does not show"):
        opened(engine)


def test_binding_returns_what_run_does_and_keeps_its_memory(tiny):
    """On the CPU's memory; the tests with a software Vulkan run it on a device's."""
    session = ort.InferenceSession(tiny.data, providers=[CPU])
    bound = Binding(ort, session, "cpu")
    rng = np.random.default_rng(0)
    kept = []
    for count in (4, 4, 1, 7):
        batch = rng.random((count, 8, 8, 1), np.float32)
        kept.append((bound.run(batch), session.run(None, {"image": batch})[0]))
    for output, wanted in kept:
        np.testing.assert_array_equal(output, wanted)
    first = bound._value
    bound.run(rng.random((7, 8, 8, 1), np.float32)[::-1])
    assert bound._value is first


def test_the_version_is_that_of_whichever_distribution_is_installed(monkeypatch):
    from importlib.metadata import PackageNotFoundError

    from runtime.backends import onnxruntime as module

    def version(name):
        if name != "onnxruntime-gpu":
            raise PackageNotFoundError(name)
        return "1.31.1"

    monkeypatch.setattr("importlib.metadata.version", version)
    assert module.OnnxRuntime.version() == "1.31.1"
