"""Several engines with the same model file, at work side by side."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from runtime.backends._options import MOST_THREADS
from runtime.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runtime.backends import Backend

    Item = TypeVar("Item")
    Answer = TypeVar("Answer")

_AHEAD = 2  # tasks a worker: one at work, one ready, so that none waits for the reader


class Pool:
    """Threads with one engine each.

    An engine computes without Python's lock, so n engines of one thread use n cores. That
    gains more than n threads in one engine: no layer waits for the slowest of its parts.

    Attributes:
        workers: how many there are.
    """

    def __init__(self, open_engine: Callable[[], Backend], workers: int) -> None:
        """Open the engines.

        Args:
            open_engine: opens one, of one thread.
            workers: how many; 1 to 256.

        Raises:
            InputError: another number of workers.
            BackendError: what ``open_engine`` raises; engines open by then are closed.
        """
        if not 1 <= workers <= MOST_THREADS:
            raise InputError(f"workers (--threads) must be 1 to {MOST_THREADS}, not {workers}")
        self.workers = workers
        self._engines: list[Backend] = []
        self._idle: SimpleQueue[Backend] = SimpleQueue()
        try:
            for _ in range(workers):
                self._engines.append(open_engine())
                self._idle.put(self._engines[-1])
        except BaseException:
            self._close_engines()
            raise
        self._threads = ThreadPoolExecutor(workers, "inference")

    def map(
        self,
        work: Callable[[Backend, Iterable[Item]], Answer],
        tasks: Iterable[Sequence[Item]],
    ) -> Iterator[Answer]:
        """Work on tasks side by side, and give the answers in order.

        At most two tasks a worker are taken ahead of the answers, so that memory does not
        grow with their number. If the caller stops, by an exception or early, the workers
        end at the next item.

        Args:
            work: gets an engine of its own and the items of one task.
            tasks: read in the caller's thread, as far as they are needed.

        Yields:
            One answer a task.

        Raises:
            Exception: what ``work`` raised, at the place of its task.
        """
        stop = Event()
        running: deque[Future[Answer]] = deque()
        try:
            for task in tasks:
                running.append(self._threads.submit(self._do, work, _until(stop, task)))
                if len(running) >= self.workers * _AHEAD:
                    yield running[0].result()
                    running.popleft()
            while running:
                yield running[0].result()
                running.popleft()
        finally:
            stop.set()
            wait(running)

    def close(self) -> None:
        """End the threads and free the engines."""
        self._threads.shutdown()
        self._close_engines()

    def _do(
        self, work: Callable[[Backend, Iterable[Item]], Answer], items: Iterable[Item]
    ) -> Answer:
        engine = self._idle.get()
        try:
            return work(engine, items)
        finally:
            self._idle.put(engine)

    def _close_engines(self) -> None:
        while self._engines:
            self._engines.pop().close()


class _StoppedError(Exception):
    """Ends a worker whose answer nobody waits for."""


def _until(stop: Event, items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        if stop.is_set():
            raise _StoppedError
        yield item
