"""Service of :mod:`runtime.workers.remote_backend`: runs batches in an engine on the GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.backends import BackendOptions, registry
from runtime.errors import EdgeError
from runtime.workers.process import Failure

if TYPE_CHECKING:
    from runtime.workers.process import Channel


def serve(channel: Channel) -> None:
    """Receive the model, reply with its tensors, then run batches.

    Raises:
        EOFError: the parent has closed its end.
    """
    artifact, name, options = channel.receive()
    try:
        engine = registry()[name](artifact, BackendOptions(**options))
    except EdgeError as error:
        channel.send(Failure.of(error))
        return
    with engine:
        channel.send((engine.accelerator, engine.input, engine.output))
        while True:
            batch = channel.receive()
            try:
                channel.send(engine.infer(batch))
            except EdgeError as error:
                channel.send(Failure.of(error))
