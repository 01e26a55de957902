"""The workers of a session for many images, started at first use."""

from __future__ import annotations

from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from runtime.backends import BackendOptions
from runtime.terminal.silence import silenced
from runtime.workers.opening import open_backend
from runtime.workers.pool import Pool
from runtime.workers.prediction_process import PredictionProcess

if TYPE_CHECKING:
    from runtime.backends import Backend
    from runtime.session import Session


# A shorter inference ends while the next thread still waits for Python's lock. Two threads process
# 0.75 times the images of one at 18 us per image, 1.2 to 1.4 times at 52, 1.9 times at 200
# (tests/benchmarks/throughput.py).
_MIN_SECONDS = 45e-6  # of an inference
_SLOW = 0.005  # seconds: if even the first inference takes longer, the network is not small


class Workers:
    """Engines in threads for arrays; processes for image files.

    An engine computes without Python's lock, so threads are enough for arrays. Preprocessing
    holds the lock and needs processes: see :mod:`runtime.workers.prediction_process`.

    Example::

        workers = Workers(session)
        if pool := workers.engines(4):
            outputs = list(pool.map(run_one, tasks))
        workers.close()
    """

    def __init__(self, session: Session) -> None:
        """Prepare for a session; no worker is started yet."""
        self._session = session
        self._engines: dict[int, Pool[Backend]] = {}
        self._processes: dict[int, Pool[PredictionProcess]] = {}

    @property
    def is_open(self) -> bool:
        """Whether there are any workers."""
        return bool(self._engines or self._processes)

    def engines(self, count: int) -> Pool[Backend] | None:
        """Return so many engines; None if one engine is enough.

        That is the case on a GPU, and for very small networks.

        Raises:
            BackendError: the engine refuses the file, or is out of memory.
        """
        if self._is_one(count) or self._is_quick:
            return None
        if count not in self._engines:
            with silenced():
                self._engines[count] = Pool(self._open_engine, count)
        return self._engines[count]

    def processes(self, count: int) -> Pool[PredictionProcess] | None:
        """Return so many processes; None for a single one, and on a GPU.

        If one has died during a task, all are started again.

        Raises:
            BackendError: they cannot be started, or one has died before its first task.
        """
        if self._is_one(count):
            return None
        pool = self._processes.get(count)
        dead = [one for one in pool.workers if not one.alive] if pool else []
        for unused in (one for one in dead if not one.was_used):
            unused.predict(())  # raises the reason
        if dead:
            self._processes.pop(count).close()
        if count not in self._processes:
            self._processes[count] = Pool(
                lambda: PredictionProcess(self._session), count, PredictionProcess.kill
            )
        return self._processes[count]

    def close(self) -> None:
        """End all workers."""
        for pools in (self._engines, self._processes):
            while pools:
                _, pool = pools.popitem()
                pool.close()

    def _is_one(self, count: int) -> bool:
        return count == 1 or self._session.backend.device != "cpu"

    @cached_property
    def _is_quick(self) -> bool:
        """Whether an inference is shorter than the switch between two threads."""
        session = self._session
        image = np.zeros((1, *session.spec.shape), np.uint8)
        times = []
        for _ in range(3):  # the first one is slow
            start = perf_counter()
            session.backend.run_images(image, session.spec)
            times.append(perf_counter() - start)
            if times[-1] > _SLOW:
                break
        return min(times) < _MIN_SECONDS

    def _open_engine(self) -> Backend:
        session = self._session
        return open_backend(session.artifact, session.backend.name, BackendOptions())
