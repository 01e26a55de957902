"""ONNX Runtime, with its CPU provider or one of its GPU providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runtime import proc
from runtime.backends._wheels import Wheels
from runtime.backends.base import Backend
from runtime.backends.options import BackendOptions
from runtime.backends.tensors import image_layout
from runtime.errors import BackendError
from runtime.modelfile.manifest import TensorSpec
from runtime.processor import lacks_vnni
from runtime.registry import installed_version

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.backends.gpu.binding import Binding
    from runtime.modelfile.artifact import Artifact

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
}
# They share one import name, so that only one of them may be installed.
_DISTRIBUTIONS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-migraphx",
    "onnxruntime-directml",
)
_ERRORS_ONLY = 3  # ORT's log severity: 0 verbose … 4 fatal


class OnnxRuntime(Backend):
    """An ``InferenceSession`` configured for a small device: few threads, no spinning."""

    name: ClassVar[str] = "onnxruntime"
    suffixes: ClassVar[tuple[str, ...]] = (".onnx",)
    extra: ClassVar[str] = "onnx"
    package: ClassVar[str] = "onnxruntime"
    module: ClassVar[str] = "onnxruntime"
    wheels: ClassVar[Wheels | None] = Wheels((3, 14))  # those of 1.32.0, November 2026
    uses_gpu: ClassVar[bool] = True
    _binding: Binding | None = None

    @classmethod
    def version(cls) -> str | None:
        """Return the version of the installed engine, of whichever distribution."""
        return next(filter(None, map(installed_version, _DISTRIBUTIONS)), None)

    @classmethod
    def gpu_obstacle(cls, providers: tuple[str, ...] = ()) -> str:
        """Check whether one of the providers is installed."""
        from runtime.backends.gpu import onnxruntime
        from runtime.backends.providers import wanted

        ort: Any = cls._import()
        requested = wanted(providers)
        available = onnxruntime.present(ort, requested)
        return "" if available else onnxruntime.missing(ort, requested)

    def _open(self, artifact: Artifact, options: BackendOptions) -> tuple[TensorSpec, TensorSpec]:
        ort: Any = self._import()
        settings = session_settings(ort, options.threads)
        try:
            session = ort.InferenceSession(
                artifact.data, settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ORT's exceptions have no common base but Exception
            raise self._refused(error) from error
        return self._use(session)

    def _open_gpu(
        self, artifact: Artifact, options: BackendOptions
    ) -> tuple[TensorSpec, TensorSpec]:
        from runtime.backends.gpu import onnxruntime
        from runtime.backends.gpu.binding import Binding

        ort: Any = self._import()
        opened = onnxruntime.open_session(
            ort, artifact.data, options, lambda: session_settings(ort, options.threads)
        )
        specs = self._use(opened.session)
        self.accelerator = opened.accelerator
        if opened.provider.memory:
            self._binding = Binding(ort, opened.session, opened.provider.memory)
        return specs

    def _use(self, session: Any) -> tuple[TensorSpec, TensorSpec]:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        input_tensor, output_tensor = self._one_of_each(inputs, outputs)
        self._session: Any = session
        return _tensor(input_tensor, image=True), _tensor(output_tensor, image=False)

    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        try:
            if self._binding is not None:
                return self._binding.run(batch)
            (scores,) = self._session.run([self.output.name], {self.input.name: batch})
        except Exception as error:  # ORT's exceptions have no common base but Exception
            raise BackendError(f"{self.name} failed while running: {error}") from error
        return np.asarray(scores)

    def _close(self) -> None:
        self._session = self._binding = None


def session_settings(ort: Any, threads: int) -> Any:
    """Return new session options: number of threads, no spinning, int8 sums without saturation.

    Args:
        ort: the module ``onnxruntime``.
        threads: threads of one inference.

    Returns:
        ``SessionOptions``, to be changed as needed.

    Example::

        settings = session_settings(onnxruntime, threads=1)
        session = onnxruntime.InferenceSession(data, settings)
    """
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _ERRORS_ONLY
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if lacks_vnni(proc.ROOT):
        # Unsigned weights, whose kernels do not saturate. ONNX Runtime 1.32 uses them on any x86
        # processor if this is set; with VNNI they are twice as slow.
        settings.add_session_config_entry("session.x64quantprecision", "1")
    return settings


def _tensor(node: Any, *, image: bool) -> TensorSpec:
    shape = tuple(n if isinstance(n, int) else -1 for n in node.shape)
    if node.type not in _DTYPES:
        raise BackendError(f"tensor {node.name} has type {node.type}; known: {', '.join(_DTYPES)}")
    return TensorSpec(
        name=node.name,
        shape=shape,
        dtype=_DTYPES[node.type],
        layout=image_layout(shape) if image else "NC",
    )
