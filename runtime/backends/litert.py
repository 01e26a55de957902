"""LiteRT (ai-edge-litert): Google's current engine for TFLite files, with XNNPACK or a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from runtime.backends._interpreter import InterpreterBackend
from runtime.backends._wheels import Wheels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.backends.gpu.litert import CompiledGpu
    from runtime.backends.options import BackendOptions
    from runtime.modelfile.artifact import Artifact
    from runtime.modelfile.manifest import TensorSpec


class LiteRt(InterpreterBackend):
    """``Interpreter`` with its default delegates on the CPU, ``CompiledModel`` on a GPU."""

    name: ClassVar[str] = "litert"
    extra: ClassVar[str] = "litert"
    package: ClassVar[str] = "ai-edge-litert"
    module: ClassVar[str] = "ai_edge_litert"
    wheels: ClassVar[Wheels | None] = Wheels((3, 14))  # those of 2.3.0, November 2026
    uses_gpu: ClassVar[bool] = True
    _gpu: CompiledGpu | None = None

    @classmethod
    def _interpreter_class(cls) -> Any:
        cls._import()
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter

    @classmethod
    def gpu_obstacle(cls, providers: tuple[str, ...] = ()) -> str:
        """Check for the accelerator in the package and for the Vulkan loader."""
        del providers  # only of onnxruntime
        from runtime.backends.gpu.litert import obstacle

        return obstacle()

    def _open_gpu(
        self, artifact: Artifact, options: BackendOptions
    ) -> tuple[TensorSpec, TensorSpec]:
        from runtime.backends.gpu.litert import CompiledGpu

        # Only the Interpreter returns scales and zero points.
        specs = self._open(artifact, options)
        super()._close()
        self._gpu = CompiledGpu(artifact.data, options.precision)
        adapter = self._gpu.adapter
        self.accelerator = adapter.name if adapter.name == "Metal" else f"WebGPU, {adapter.name}"
        return specs

    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        if self._gpu is not None:
            return self._gpu.run(batch, self.output.shape, self.output.dtype)
        return super()._run(batch)

    def tensors(self) -> tuple[TensorSpec, ...]:
        """Return all tensors; on a GPU only the input and the output are known."""
        return (self.input, self.output) if self.device == "gpu" else super().tensors()

    def _close(self) -> None:
        super()._close()
        if self._gpu is not None:
            self._gpu.close()
        self._gpu = None
