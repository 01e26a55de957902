"""ONNX Runtime's GPU providers: names, options that keep float32, how to install them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_NVIDIA = 'pip uninstall -y onnxruntime && pip install "edge-toolkit[onnx-gpu]"'


@dataclass(frozen=True, slots=True)
class Provider:
    """An execution provider that runs models on a GPU.

    Attributes:
        name: name of the provider, as ``--provider`` takes it.
        ort: name of the provider in ONNX Runtime.
        fix: how to install it.
        options: provider options with which float32 stays float32.
        half: options added for ``--precision float16``; empty if there are none.
        memory: name of the device memory for I/O binding; empty without binding.
        plugin: package that adds it to a plain ``onnxruntime``; empty if there is none.
        nvidia: whether TF32 has to be turned off in CUDA's libraries.

    Example:
        >>> BY_NAME["cuda"].ort
        'CUDAExecutionProvider'
    """

    name: str
    ort: str
    fix: str
    options: Mapping[str, str] = field(default_factory=dict)
    half: Mapping[str, str] = field(default_factory=dict)
    memory: str = ""
    plugin: str = ""
    nvidia: bool = False


# In the order in which they are tried: the compiler of the vendor, its kernels, the interface
# of the operating system, WebGPU.
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
    """Return the providers to try; without names all of them.

    Example:
        >>> [provider.name for provider in wanted(("cuda", "webgpu"))]
        ['cuda', 'webgpu']
    """
    return tuple(BY_NAME[name] for name in names) or PROVIDERS
