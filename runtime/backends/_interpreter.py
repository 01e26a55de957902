"""Common base of LiteRT and tflite-runtime: the ``Interpreter`` interface of TFLite."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runtime.backends.base import Backend
from runtime.backends.options import BackendOptions
from runtime.backends.tensors import image_layout
from runtime.errors import BackendError
from runtime.modelfile.manifest import TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runtime.modelfile.artifact import Artifact


class InterpreterBackend(Backend):
    """A backend over the Python interface ``Interpreter`` of TensorFlow Lite."""

    suffixes: ClassVar[tuple[str, ...]] = (".tflite",)

    def _open(self, artifact: Artifact, options: BackendOptions) -> tuple[TensorSpec, TensorSpec]:
        interpreter_class = self._interpreter_class()
        try:
            # num_threads=None means 1 in LiteRT and all cores in tflite-runtime: always set it.
            interpreter = interpreter_class(
                model_content=artifact.data, num_threads=options.threads
            )
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError, TypeError, ImportError) as error:
            raise self._refused(error) from error
        input_tensor, output_tensor = self._one_of_each(
            interpreter.get_input_details(), interpreter.get_output_details()
        )
        self._interpreter: Any = interpreter
        self._input_index: int = input_tensor["index"]
        self._output_index: int = output_tensor["index"]
        return _tensor(input_tensor, image=True), _tensor(output_tensor, image=False)

    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        interpreter = self._interpreter
        try:
            interpreter.set_tensor(self._input_index, batch)
            interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise BackendError(f"{self.name} failed while running: {error}") from error
        scores: NDArray[Any] = interpreter.get_tensor(self._output_index)
        return scores

    def tensors(self) -> tuple[TensorSpec, ...]:
        """Return all tensors; those quantized per channel have no single scale."""
        details = self._interpreter.get_tensor_details()
        return tuple(_tensor(one, image=False) for one in details)

    def _close(self) -> None:
        self._interpreter = None

    @classmethod
    @abstractmethod
    def _interpreter_class(cls) -> Any:
        """Import the engine and return its ``Interpreter``."""


def _tensor(details: dict[str, Any], *, image: bool) -> TensorSpec:
    shape = tuple(int(n) for n in details["shape"])
    scale, zero_point = details["quantization"]
    quantized = scale != 0.0
    return TensorSpec(
        name=details["name"],
        shape=shape,
        dtype=np.dtype(details["dtype"]).name,
        layout=image_layout(shape) if image else "NC" if len(shape) == 2 else "",
        scale=float(scale) if quantized else None,
        zero_point=int(zero_point) if quantized else None,
    )
