"""An engine on the GPU in a process of its own, for a process that holds TensorFlow.

TensorFlow shows its symbols, LLVM's among them, to every library that is loaded later. Mesa's
Vulkan drivers then call TensorFlow's LLVM instead of their own and end the process with a
segmentation fault (seen with TensorFlow 2.21 and Mesa 25.0).
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import asdict
from typing import IO, TYPE_CHECKING, Any

from runtime import errors
from runtime.modelfile.artifact import on_disk
from runtime.modelfile.manifest import TensorSpec
from runtime.workers import process
from runtime.workers.messages import receive, send

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runtime.backends.options import BackendOptions
    from runtime.modelfile.artifact import Artifact

_GRACE = 10.0  # seconds to end by itself


def needed() -> bool:
    """Whether drivers must not be loaded into this process."""
    return "tensorflow" in sys.modules


class Remote:
    """The other end of :mod:`runtime.workers.remote_backend_main`.

    Attributes:
        input: the model's input tensor.
        output: its output tensor.
        accelerator: what of the GPU runs it.
    """

    def __init__(self, artifact: Artifact, backend: str, options: BackendOptions) -> None:
        """Start an engine in a new process.

        Raises:
            BackendError: what the engine raised there, or that the process died.
        """
        self._files = contextlib.ExitStack()
        path = self._files.enter_context(on_disk(artifact))
        arguments = (str(path), backend, json.dumps(asdict(options)))
        self._process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            process.command("runtime.workers.remote_backend_main", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=process.environment(),
        )
        try:
            told, _ = self._receive()
        except BaseException:
            self.close()
            raise
        self.accelerator: str = told["accelerator"]
        self.input, self.output = _tensor(told["input"]), _tensor(told["output"])

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run a batch; see :meth:`Backend.run`."""
        with contextlib.suppress(BrokenPipeError):
            send(_pipe(self._process.stdin), {}, batch)
        scores: NDArray[np.float32] = self._receive()[1].copy()
        return scores

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                _pipe(pipe).close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._files.close()

    def _receive(self) -> tuple[dict[str, Any], NDArray[Any]]:
        message = receive(_pipe(self._process.stdout))
        if message is None:
            code = self._process.wait()
            raise errors.BackendError(f"its process on the GPU ended with code {code}")
        fields, array = message
        if "error" in fields:
            lacking = fields["kind"] == errors.DeviceUnavailableError.__name__
            kind = errors.DeviceUnavailableError if lacking else errors.BackendError
            raise kind(fields["error"])
        return fields, array


def _tensor(fields: dict[str, Any]) -> TensorSpec:
    return TensorSpec(**{**fields, "shape": tuple(fields["shape"])})


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise errors.BackendError("the process on the GPU has no pipe")
    return stream
