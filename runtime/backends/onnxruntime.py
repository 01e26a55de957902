"""ONNX Runtime, on its CPU provider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runtime.backends.base import Backend, BackendOptions, image_layout
from runtime.errors import BackendError
from runtime.manifest import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.artifact import Artifact

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
}
_ERRORS_ONLY = 3  # ORT's log severity: 0 verbose … 4 fatal


class OnnxRuntime(Backend):
    """An ``InferenceSession`` set up for a small device: one thread, no spinning."""

    name: ClassVar[str] = "onnxruntime"
    suffixes: ClassVar[tuple[str, ...]] = (".onnx",)
    extra: ClassVar[str] = "onnx"
    package: ClassVar[str] = "onnxruntime"
    module: ClassVar[str] = "onnxruntime"

    def _open(self, artifact: Artifact, options: BackendOptions) -> tuple[TensorSpec, TensorSpec]:
        ort: Any = self._import()
        session_options = ort.SessionOptions()
        session_options.intra_op_num_threads = options.threads
        session_options.inter_op_num_threads = 1
        session_options.log_severity_level = _ERRORS_ONLY
        session_options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = ort.InferenceSession(
                artifact.data, session_options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ORT's exceptions have no common base but Exception
            raise self._refused(error) from error
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise BackendError(
                f"{artifact.path.name} has {len(inputs)} inputs and {len(outputs)} outputs; "
                "an image classifier has one of each"
            )
        self._session: Any = session
        return _tensor(inputs[0], image=True), _tensor(outputs[0], image=False)

    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        try:
            (scores,) = self._session.run([self.output.name], {self.input.name: batch})
        except Exception as error:  # ORT's exceptions have no common base but Exception
            raise BackendError(f"{self.name} failed while running: {error}") from error
        return np.asarray(scores)

    def close(self) -> None:
        """Drop the session and its memory."""
        self._session = None


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
