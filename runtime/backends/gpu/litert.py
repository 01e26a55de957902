"""LiteRT on a GPU: ``CompiledModel``, proven to run completely on a hardware adapter."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.backends.gpu.adapters import INSTALL_VULKAN, Adapter, vulkan_loader
from runtime.backends.gpu.engine_log import captured
from runtime.errors import BackendError, DeviceUnavailableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Log lines of LiteRT 2.3; no API returns the adapter.
_ADAPTER = re.compile(r"Selected adapter: (?P<name>.*), arch=.*, adapterType=(?P<kind>.*)")
_METAL = re.compile(r"Created a Metal device\.")
_SPLIT = re.compile(r"(\d+) operations will run on the GPU, and the remaining (\d+) operations")
_UNSUPPORTED = re.compile(r"not supported by GPU delegate:\n(.*)")
_NO_LOADER = "there is no Vulkan loader (libvulkan.so.1)"


def obstacle() -> str:
    """Return why LiteRT cannot use a GPU on this machine, as far as files show; empty if it might.

    Example::

        if reason := obstacle():
            print(f"litert stays on the CPU: {reason}")
    """
    spec = find_spec("ai_edge_litert")
    home = Path(spec.origin).parent if spec and spec.origin else None
    if home and not any(home.glob("libLiteRt*Accelerator.*")):
        return "this build of ai-edge-litert contains no GPU accelerator"
    if sys.platform != "darwin" and vulkan_loader() is None:
        return f"{_NO_LOADER}; install it: {INSTALL_VULKAN}"
    return ""


class CompiledGpu:
    """A model compiled for the GPU; its buffers are allocated once and reused.

    LiteRT is given the GPU as its only accelerator, so that it refuses a model of which a part
    would run on the CPU (``is_fully_accelerated()`` proves nothing: it is True on a CPU as well).

    Attributes:
        adapter: adapter that runs the model.

    Example::

        model = CompiledGpu(artifact.data, "float32")
        scores = model.run(batch, (1, 10), "float32")
        print(model.adapter.name)
        model.close()
    """

    def __init__(self, data: bytes, precision: str) -> None:
        """Compile a model.

        Args:
            data: the model file.
            precision: ``float32``, which is not the default of LiteRT, or ``float16``.

        Raises:
            DeviceUnavailableError: there is no GPU, or no proof that it runs the model.
        """
        from ai_edge_litert import compiled_model as litert

        options = litert.Options(
            hardware_accelerators=litert.HardwareAccelerator.GPU,
            gpu_options=litert.GpuOptions(enforce_f32=precision == "float32"),
        )
        failure = ""
        with captured() as log:
            try:
                self._model: Any = litert.CompiledModel.from_buffer(data, options=options)
                (self._input,) = self._model.create_input_buffers(0)
                (self._output,) = self._model.create_output_buffers(0)
            except (RuntimeError, ValueError) as error:
                # Only the text: its traceback would keep the engine alive, which prints when freed.
                failure = str(error) or type(error).__name__
        if failure:
            raise DeviceUnavailableError(refusal_reason(log.text, failure))
        try:
            self.adapter = proven_adapter(log.text)
        except DeviceUnavailableError:
            self.close()
            raise

    def run(self, batch: NDArray[Any], shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Run one batch of exactly the size and dtype of the input tensor.

        Args:
            batch: input.
            shape: shape of the output.
            dtype: data type of the output.

        Raises:
            BackendError: the engine failed.
        """
        try:
            self._input.write(batch)
            self._model.run_by_index(0, [self._input], [self._output])
            scores: NDArray[Any] = self._output.read(int(np.prod(shape)), np.dtype(dtype))
        except (RuntimeError, ValueError) as error:
            raise BackendError(f"litert failed while running on the GPU: {error}") from error
        return scores.reshape(shape)

    def close(self) -> None:
        """Free the model and its buffers."""
        with captured():  # the engine prints a line for each part that it frees
            self._input = self._output = self._model = None


def proven_adapter(log: str) -> Adapter:
    """Return the adapter that LiteRT reports to use.

    Args:
        log: output of LiteRT while it compiled the model.

    Raises:
        DeviceUnavailableError: none is reported, or it is a software renderer on the CPU.

    Example:
        >>> proven_adapter("INFO: Created a Metal device.")
        Adapter(name='Metal', kind='GPU')
    """
    if _METAL.search(log):
        return Adapter("Metal", "GPU")  # Apple ships no Metal that computes on the CPU
    found = _ADAPTER.search(log)
    if found is None:
        raise DeviceUnavailableError(
            "LiteRT reports no adapter, so nothing proves that a GPU runs the model"
        )
    adapter = Adapter(found["name"], found["kind"])
    if adapter.is_software:
        raise DeviceUnavailableError(
            f"the only adapter is {adapter.name}, a software renderer that computes on the CPU; "
            f"install the driver of your GPU: {INSTALL_VULKAN}"
        )
    return adapter


def refusal_reason(log: str, error: str) -> str:
    """Return in one line why LiteRT did not compile a model for the GPU.

    Args:
        log: output of LiteRT while it compiled the model.
        error: message of its exception; mostly lines of its source code.

    Example:
        >>> print(refusal_reason("ERROR: Couldn't load Vulkan", "failed"))
        there is no Vulkan loader (libvulkan.so.1); install it: sudo apt install ...
    """
    if split := _SPLIT.search(log):
        on_gpu, rest = map(int, split.groups())
        first = _UNSUPPORTED.search(log)
        cause = f" ({first[1].split('. ')[0].rstrip('.')})" if first else ""
        return (
            f"its GPU accelerator supports {on_gpu} of the {on_gpu + rest} operations{cause}; "
            "use another format: tflite"
        )
    if "Couldn't load Vulkan" in log:
        return f"{_NO_LOADER}; install it: {INSTALL_VULKAN}"
    if "No adapters found" in log or "No supported adapters" in log:
        return (
            "Vulkan has no adapter that WebGPU can use; install the driver of your GPU: "
            f"{INSTALL_VULKAN}"
        )
    return error.strip().splitlines()[-1].strip("└ ")
