"""An engine on the GPU in a worker process, for processes that have imported TensorFlow.

TensorFlow exports its symbols, those of LLVM included, to every library that is loaded later.
Mesa's Vulkan drivers then call TensorFlow's LLVM instead of their own, which ends in a
segmentation fault (seen with TensorFlow 2.21 and Mesa 25.0).
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from runtime.backends.base import Backend
from runtime.errors import BackendError, DeviceUnavailableError
from runtime.workers.process import WorkerProcess

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runtime.backends.options import BackendOptions
    from runtime.modelfile.artifact import Artifact
    from runtime.modelfile.manifest import TensorSpec

_GRACE = 10.0  # seconds for the engine to end by itself
_OF_THE_ENGINE = ("name", "suffixes", "extra", "package", "module", "rank", "wheels", "uses_gpu")


def needs_remote(engine: type[Backend], options: BackendOptions) -> bool:
    """Whether an engine would load GPU drivers into a process with TensorFlow.

    Example::

        backend = remote_class(engine) if needs_remote(engine, options) else engine
    """
    return "tensorflow" in sys.modules and not engine.gpu_obstacle(options.providers)


@cache
def remote_class(engine: type[Backend]) -> type[RemoteBackend]:
    """Return the class that runs an engine in another process, under the name of the engine.

    Example::

        with remote_class(registry()["litert"])(artifact, BackendOptions("gpu")) as backend:
            scores = backend.run(batch)
    """
    fields = {name: getattr(engine, name) for name in _OF_THE_ENGINE}
    return type(f"Remote{engine.__name__}", (RemoteBackend,), fields | {"_engine": engine})


class RemoteBackend(Backend):
    """An engine in a worker process; :func:`remote_class` makes the class for an engine."""

    _engine: ClassVar[type[Backend]]
    _refusal: DeviceUnavailableError | None = (
        None  # of the other process; it names the file already
    )

    @classmethod
    def gpu_obstacle(cls, providers: tuple[str, ...] = ()) -> str:
        """Return why the engine can use no GPU; see :meth:`Backend.gpu_obstacle`."""
        return cls._engine.gpu_obstacle(providers)

    def _open(self, artifact: Artifact, options: BackendOptions) -> tuple[TensorSpec, TensorSpec]:
        self._require()
        self._process = WorkerProcess(
            "runtime.workers.backend_service", name="its process on the GPU"
        )
        try:
            self._process.send((artifact, self.name, asdict(options)))
            self.accelerator, input_tensor, output_tensor = self._process.receive()
        except BackendError:
            self._close()
            raise
        return input_tensor, output_tensor

    def _open_gpu(
        self, artifact: Artifact, options: BackendOptions
    ) -> tuple[TensorSpec, TensorSpec]:
        try:
            return self._open(artifact, options)
        except DeviceUnavailableError as error:
            self._refusal = error
            raise
        except BackendError as error:
            raise DeviceUnavailableError(str(error)) from error

    def _no_gpu(self, error: BackendError) -> DeviceUnavailableError:
        return self._refusal or super()._no_gpu(error)

    def _run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        self._process.send(batch)
        outputs: NDArray[np.float32] = self._process.receive()
        return outputs

    def _close(self) -> None:
        self._process.close(_GRACE)
