"""Process of :mod:`runtime.workers.remote_backend`: an engine on the GPU, driven over pipes."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import IO, Any

import numpy as np

from runtime.backends import BackendOptions, registry
from runtime.errors import EdgeError
from runtime.modelfile import artifact as artifacts
from runtime.workers.messages import receive, send


def serve(path: str, backend: str, options: str, stream: IO[bytes], answers: IO[bytes]) -> None:
    """Open a model file, tell of it, then answer batches until the other end closes.

    Args:
        path: the model file.
        backend: the engine.
        options: the fields of :class:`BackendOptions` as JSON.
        stream: where batches come from.
        answers: where answers go.
    """
    kind = registry()[backend]
    try:
        engine = kind(artifacts.read(path), BackendOptions(**json.loads(options)))
    except EdgeError as error:
        send(answers, _failure(error))
        return
    with engine:
        tensors = {"input": asdict(engine.input), "output": asdict(engine.output)}
        send(answers, {"accelerator": engine.accelerator, **tensors})
        while (message := receive(stream)) is not None:
            try:
                send(answers, {}, engine.run(message[1].astype(np.float32, copy=False)))
            except EdgeError as error:
                send(answers, _failure(error))


def _failure(error: EdgeError) -> dict[str, Any]:
    return {"error": str(error), "kind": type(error).__name__}


if __name__ == "__main__":
    # Engines print on file descriptor 1; the answers get a copy of their own.
    with os.fdopen(os.dup(1), "wb") as own:
        os.dup2(2, 1)
        model, engine_name, how = sys.argv[1:]
        serve(model, engine_name, how, sys.stdin.buffer, own)
