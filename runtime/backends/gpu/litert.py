"""LiteRT on a GPU: ``CompiledModel``, proven to run wholly on an adapter that is no program."""

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

# What LiteRT 2.3 writes; there is no other way to learn its adapter.
_ADAPTER = re.compile(r"Selected adapter: (?P<name>.*), arch=.*, adapterType=(?P<kind>.*)")
_METAL = re.compile(r"Created a Metal device\.")
_SPLIT = re.compile(r"(\d+) operations will run on the GPU, and the remaining (\d+) operations")
_UNSUPPORTED = re.compile(r"not supported by GPU delegate:\n(.*)")
_NO_LOADER = "there is no Vulkan loader (libvulkan.so.1)"


def obstacle() -> str:
    """Return why LiteRT cannot use a GPU here, as far as files tell; empty where it might."""
    spec = find_spec("ai_edge_litert")
    home = Path(spec.origin).parent if spec and spec.origin else None
    if home and not any(home.glob("libLiteRt*Accelerator.*")):
        return "this build of ai-edge-litert carries no GPU accelerator"
    if sys.platform != "darwin" and vulkan_loader() is None:
        return f"{_NO_LOADER}; install it: {INSTALL_VULKAN}"
    return ""


class CompiledGpu:
    """A model on the GPU. Its buffers are made once and used for every run.

    Only the GPU is named to LiteRT, which then refuses a model of which a part would run
    on the CPU (``is_fully_accelerated()`` is no proof: it is True on a plain CPU, too).

    Attributes:
        adapter: what runs it.
    """

    def __init__(self, data: bytes, precision: str) -> None:
        """Compile a model.

        Args:
            data: the model file.
            precision: ``float32``, which LiteRT does not take by itself, or ``float16``.

        Raises:
            DeviceUnavailableError: there is no GPU, or nothing proves that it runs the model.
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
                # Its text only: its traceback would keep the engine, which speaks when it ends.
                failure = str(error) or type(error).__name__
        if failure:
            raise DeviceUnavailableError(why(log.text, failure))
        try:
            self.adapter = proven_adapter(log.text)
        except DeviceUnavailableError:
            self.close()
            raise

    def run(self, batch: NDArray[Any], shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
        """Run one batch of exactly the size and dtype of the input tensor.

        Args:
            batch: the input.
            shape: of the output.
            dtype: of the output.

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
        with captured():  # the engine tells of each part that it takes down
            self._input = self._output = self._model = None


def proven_adapter(log: str) -> Adapter:
    """Return the adapter that LiteRT says it has taken.

    Args:
        log: what it wrote while it compiled the model.

    Raises:
        DeviceUnavailableError: it says nothing, or the adapter is a program on the CPU.
    """
    if _METAL.search(log):
        return Adapter("Metal", "GPU")  # Apple ships no Metal that computes on the CPU
    found = _ADAPTER.search(log)
    if found is None:
        raise DeviceUnavailableError(
            "LiteRT does not name the adapter it took, so nothing proves that a GPU runs the model"
        )
    adapter = Adapter(found["name"], found["kind"])
    if adapter.is_software:
        raise DeviceUnavailableError(
            f"the only adapter is {adapter.name}, a program that computes on the CPU; "
            f"install the driver of your GPU: {INSTALL_VULKAN}"
        )
    return adapter


def why(log: str, error: str) -> str:
    """Return in one line why LiteRT did not compile a model for the GPU.

    Args:
        log: what it wrote.
        error: what it raised; that mostly names places in LiteRT's source.
    """
    if split := _SPLIT.search(log):
        on_gpu, rest = map(int, split.groups())
        first = _UNSUPPORTED.search(log)
        what = f" ({first[1].split('. ')[0].rstrip('.')})" if first else ""
        return (
            f"its GPU accelerator takes {on_gpu} of the {on_gpu + rest} operations{what}; "
            "take another format: tflite"
        )
    if "Couldn't load Vulkan" in log:
        return f"{_NO_LOADER}; install it: {INSTALL_VULKAN}"
    if "No adapters found" in log or "No supported adapters" in log:
        return (
            "Vulkan has no adapter that WebGPU can use; install the driver of your GPU: "
            f"{INSTALL_VULKAN}"
        )
    return error.strip().splitlines()[-1].strip("└ ")
