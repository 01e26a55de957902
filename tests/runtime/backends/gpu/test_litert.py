"""What the log of LiteRT proves, and what it reports as failed; the lines are LiteRT 2.3's."""

import sys
from pathlib import Path

import pytest

from runtime.backends.gpu import litert
from runtime.backends.gpu.litert import proven_adapter, refusal_reason
from runtime.errors import DeviceUnavailableError

MODEL = Path(__file__).parents[4] / "examples/models/mnist-cnn.float32.tflite"
LINE = (
    "I0000 00:00:1795547152.005268   11401 environment.cc:532] Selected adapter: {}, arch={}, "
    "vendor={}, backend=Vulkan, adapterType={}\nINFO: Created a WebGPU environment.\n"
)
SOFTWARE = LINE.format("llvmpipe (LLVM 15.0.6, 256 bits)", "software", "mesa", "CPU / Software")
HARDWARE = LINE.format("NVIDIA L4", "ada-lovelace", "nvidia", "Discrete GPU")
PARTIAL = """ERROR: Following operations are not supported by GPU delegate:
CONV_2D: Tensor type(INT16) is not supported. serving_default_image:0_int16
SOFTMAX: Tensor type(INT16) is not supported. tutorial_cnn_1/probabilities_1/MatMul
1 operations will run on the GPU, and the remaining 11 operations will run on the CPU.
"""
RAISED = "ERROR: [./litert/cc/litert_compiled_model.h:1961]\n└ ERROR: [compiled_model.cc:1036]"


def test_a_gpu_is_proven_by_its_name():
    assert proven_adapter(HARDWARE).name == "NVIDIA L4"
    assert proven_adapter("INFO: Created a Metal device.").name == "Metal"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (SOFTWARE, "llvmpipe .* a software renderer"),
        ("", "nothing proves"),
        (PARTIAL, "nothing proves"),
    ],
)
def test_what_proves_nothing_is_refused(log, words):
    with pytest.raises(DeviceUnavailableError, match=words):
        proven_adapter(log)


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (PARTIAL, "supports 1 of the 12 operations (CONV_2D: Tensor type(INT16) is not supported)"),
        ("Warning: Couldn't load Vulkan: libvulkan.so.1: no such file", "no Vulkan loader"),
        ("ERROR: Failed to initialize: INTERNAL: No adapters found", "no adapter that WebGPU"),
        ("", "ERROR: [compiled_model.cc:1036]"),
    ],
)
def test_the_reason_is_found_in_the_log(log, words):
    reason = refusal_reason(log, RAISED)
    assert words in reason
    assert "\n" not in reason


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac needs no Vulkan loader")
def test_obstacles_are_found_from_files_alone(monkeypatch, tmp_path):
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setattr(litert, "vulkan_loader", lambda: None)
    assert "no Vulkan loader" in litert.obstacle()
    monkeypatch.setattr(litert, "vulkan_loader", object)
    assert litert.obstacle() == ""
    (tmp_path / "__init__.py").touch()
    spec = type("Spec", (), {"origin": str(tmp_path / "__init__.py")})
    monkeypatch.setattr(litert, "find_spec", lambda name: spec)
    assert "no GPU accelerator" in litert.obstacle()


def test_without_an_adapter_litert_itself_says_so():
    """The real engine on a machine without a GPU, past the check of files."""
    pytest.importorskip("ai_edge_litert")
    if litert.vulkan_loader() is not None:
        pytest.skip("there is a Vulkan loader here")
    data = MODEL.read_bytes()
    with pytest.raises(DeviceUnavailableError, match=r"no Vulkan loader|no adapter"):
        litert.CompiledGpu(data, "float32")
