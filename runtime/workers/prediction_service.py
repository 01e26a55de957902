"""Service of :mod:`runtime.workers.prediction_process`: opens a model, then runs tasks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runtime.backends import BackendOptions
from runtime.session import LoadOptions, Session
from runtime.workers.opening import open_backend
from runtime.workers.process import Failure
from runtime.workers.task import run_task

if TYPE_CHECKING:
    from runtime.workers.process import Channel


def serve(channel: Channel) -> None:
    """Receive the model, then tasks; reply to each with its result or a :class:`Failure`.

    Raises:
        EOFError: the parent has closed its end.
    """
    artifact, backend, labels, spec = channel.receive()
    try:
        engine = open_backend(artifact, backend, BackendOptions())
        session = Session(artifact, engine, LoadOptions(labels, lambda _: spec))
    except Exception as error:  # noqa: BLE001 - the parent raises it
        channel.send(Failure.of(error))
        return
    with session:
        while True:
            folder, images = channel.receive()
            try:
                if folder:
                    os.chdir(folder)
                reply = run_task(session, session.backend, images)
            except Exception as error:  # noqa: BLE001 - as above; the next task may succeed
                channel.send(Failure.of(error))
            else:
                channel.send(reply)
