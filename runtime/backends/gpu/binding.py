"""ONNX Runtime's I/O binding: input and output stay in device memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Binding:
    """Runs a session on an input buffer in device memory that is reused.

    ONNX Runtime recommends it for devices with their own memory; ``session.run`` allocates
    there for every call.

    Example::

        binding = Binding(onnxruntime, session, "cuda")
        scores = binding.run(batch)
    """

    def __init__(self, ort: Any, session: Any, memory: str) -> None:
        """Bind a session with one input and one output.

        Args:
            ort: the module ``onnxruntime``.
            session: an ``InferenceSession``.
            memory: name of the device memory, for example ``cuda``.
        """
        self._ort, self._session, self._memory = ort, session, memory
        self._input: str = session.get_inputs()[0].name
        self._output: str = session.get_outputs()[0].name
        self._io: Any = session.io_binding()
        self._value: Any = None

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        """Run one batch; the input buffer is reused as long as the shape stays the same."""
        batch = np.ascontiguousarray(batch)
        if self._value is not None and tuple(self._value.shape()) == batch.shape:
            self._value.update_inplace(batch)
        else:
            self._value = self._ort.OrtValue.ortvalue_from_numpy(batch, self._memory, 0)
            self._io.bind_ortvalue_input(self._input, self._value)
        # Bound again: the batch, and with it the output, may have another size.
        self._io.bind_output(self._output, self._memory, 0)
        self._session.run_with_iobinding(self._io)
        scores: NDArray[Any] = self._io.copy_outputs_to_cpu()[0]
        return scores
