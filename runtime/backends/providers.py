"""ONNX Runtime's GPU providers: their names, the options that keep float32, what mends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_NVIDIA = 'pip uninstall -y onnxruntime && pip install "edge-toolkit[onnx-gpu]"'


@dataclass(frozen=True, slots=True)
class Provider:
    """One way to a GPU.

    Attributes:
        name: what ``--provider`` takes.
        ort: what ONNX Runtime calls it.
        mend: how it gets onto a machine.
        options: its own options, such that float32 stays float32.
        half: what is added for ``--precision float16``; empty where it has no such option.
        memory: the name of its memory for I/O binding; empty: not bound.
        plugin: the package that brings it to a plain ``onnxruntime``; empty if none does.
        nvidia: whether CUDA's libraries have to be told to compute without TF32.
    """

    name: str
    ort: str
    mend: str
    options: Mapping[str, str] = field(default_factory=dict)
    half: Mapping[str, str] = field(default_factory=dict)
    memory: str = ""
    plugin: str = ""
    nvidia: bool = False


# In the order in which they are tried: the vendor's own compiler, the vendor's kernels,
# the system's interface, WebGPU.
PROVIDERS = (
    Provider(
        "tensorrt",
        "TensorrtExecutionProvider",
        f"{_NVIDIA} tensorrt",
        options={"trt_fp16_enable": "0"},
        half={"trt_fp16_enable": "1"},
        memory="cuda",
        nvidia=True,
    ),
    Provider(
        "cuda",
        "CUDAExecutionProvider",
        _NVIDIA,
        options={"use_tf32": "0"},
        memory="cuda",
        nvidia=True,
    ),
    Provider(
        "migraphx",
        "MIGraphXExecutionProvider",
        "pip uninstall onnxruntime; pip install onnxruntime-migraphx",
        options={"migraphx_fp16_enable": "0"},
        half={"migraphx_fp16_enable": "1"},
    ),
    Provider(
        "directml",
        "DmlExecutionProvider",
        "pip uninstall onnxruntime; pip install onnxruntime-directml",
    ),
    Provider(
        "coreml",
        "CoreMLExecutionProvider",
        "on a Mac: pip install onnxruntime",
        # A NeuralNetwork, the default, computes in float16; an MLProgram in the file's types.
        options={
            "ModelFormat": "MLProgram",
            "MLComputeUnits": "CPUAndGPU",
            "AllowLowPrecisionAccumulationOnGPU": "0",
            "ProfileComputePlan": "1",
        },
        half={"AllowLowPrecisionAccumulationOnGPU": "1"},
    ),
    Provider(
        "webgpu",
        "WebGpuExecutionProvider",
        'pip install "edge-toolkit[onnx-webgpu]"',
        memory="webgpu",
        plugin="onnxruntime_ep_webgpu",
    ),
)
BY_NAME = {provider.name: provider for provider in PROVIDERS}


def wanted(names: tuple[str, ...]) -> tuple[Provider, ...]:
    """Return the providers to try; without names all of them."""
    return tuple(BY_NAME[name] for name in names) or PROVIDERS
