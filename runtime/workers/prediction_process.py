"""A session in a worker process, which predicts images in parallel with others.

Preprocessing a photo takes some hundred short calls of numpy and Pillow. Threads that do it wait
for Python's lock most of the time: two of them process 0.9 to 1.5 times the photos of one
(tests/benchmarks/throughput.py). Processes do not wait for each other.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runtime.workers.process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.session import Session
    from runtime.workers.task import TaskResult

# The C library of Linux returns memory after each photo and requests it again: 140 page faults, a
# tenth of the time. A process that has run for a while keeps the memory without these settings.
_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4194304", "MALLOC_TRIM_THRESHOLD_": "16777216"}


class PredictionProcess(WorkerProcess):
    """A process with the model of a session: its engine with one thread, and its preprocessing.

    Example::

        with PredictionProcess(session) as process:
            result = process.predict(["one.png", "two.png"])
    """

    def __init__(self, session: Session) -> None:
        """Start the process; it is :attr:`ready` a little later.

        Args:
            session: the open model.

        Raises:
            BackendError: no process can be started.
        """
        super().__init__(
            "runtime.workers.prediction_service",
            name="a process for many images",
            advice="; --threads 1 needs no other process",
            variables=_KEEP_MEMORY,
        )
        self._setup = (session.artifact, session.backend.name, session.labels, session.spec)
        self._is_set_up = False

    @property
    def was_used(self) -> bool:
        """Whether it has started and received a task."""
        return self._is_set_up

    def predict(self, images: Sequence[Any]) -> TaskResult:
        """Predict images; see :func:`runtime.workers.task.run_task`.

        Raises:
            BackendError: the engine failed in it, or the process died.
        """
        if not self._is_set_up:
            self.send(self._setup)
            self._is_set_up = True
        self.send((_working_folder(), images))
        result: TaskResult = self.receive()
        return result


def _working_folder() -> str:
    """Return the working folder, for relative paths; empty if it has been removed."""
    try:
        return os.getcwd()  # noqa: PTH109 - text, as it is sent
    except OSError:
        return ""
