"""A pool of workers with the same model file, which run in parallel."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from runtime.backends.options import MOST_THREADS
from runtime.errors import BackendError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Item = TypeVar("Item")
    Result = TypeVar("Result")


class Closable(Protocol):
    """A worker of a pool."""

    def close(self) -> None:
        """Free it."""


Worker = TypeVar("Worker", bound=Closable)

_AHEAD = 2  # tasks per worker: one running, one ready, so that none waits for input


def check_count(count: int) -> None:
    """Refuse an invalid number of workers.

    Raises:
        InputError: it is not 1 to 256.

    Example:
        >>> check_count(0)
        Traceback (most recent call last):
        runtime.errors.InputError: workers (--threads) must be 1 to 256, not 0
    """
    if not 1 <= count <= MOST_THREADS:
        raise InputError(f"workers (--threads) must be 1 to {MOST_THREADS}, not {count}")


class Pool(Generic[Worker]):
    """Threads with one worker each: an engine in this process, or a process with one.

    An engine computes without Python's lock, so n engines of one thread use n cores. That is
    faster than n threads in one engine: no layer waits for the slowest of its parts.

    Attributes:
        workers: the workers, one per thread.

    Example::

        pool = Pool(lambda: open_backend(artifact, "litert", BackendOptions()), count=4)
        scores = list(pool.map(lambda engine, batches: engine.run(*batches), tasks))
        pool.close()
    """

    def __init__(
        self,
        open_one: Callable[[], Worker],
        count: int,
        end_one: Callable[[Worker], None] | None = None,
    ) -> None:
        """Open the workers.

        Args:
            open_one: opens one worker.
            count: number of workers, 1 to 256.
            end_one: ends a worker in the middle of a task; None waits until it is done.

        Raises:
            InputError: invalid number of workers.
            BackendError: raised by ``open_one``; workers that are already open are closed.
        """
        check_count(count)
        self._end_one = end_one
        self.workers: list[Worker] = []
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        try:
            for _ in range(count):
                self.workers.append(open_one())
                self._idle.put(self.workers[-1])
        except BaseException:
            self._close_workers()
            raise
        self._threads = ThreadPoolExecutor(count, "inference")

    def map(
        self,
        work: Callable[[Worker, Iterable[Item]], Result],
        tasks: Iterable[Sequence[Item]],
    ) -> Iterator[Result]:
        """Run tasks in parallel and return their results in order.

        At most two tasks per worker are read ahead of the results, so that memory does not
        grow with their number. If the caller stops, by an exception or early, the workers
        stop at the next item.

        Args:
            work: called with a worker and the items of one task.
            tasks: read in the thread of the caller, as needed.

        Yields:
            One result per task.

        Raises:
            Exception: raised by ``work``, in the place of the result.
        """
        stop = Event()
        running: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                if not self.workers:
                    raise BackendError("the classifier was closed before all images were predicted")
                running.append(self._threads.submit(self._do, work, _until(stop, task)))
                if len(running) >= len(self.workers) * _AHEAD:
                    yield running[0].result()
                    running.popleft()
            while running:
                yield running[0].result()
                running.popleft()
        except (KeyboardInterrupt, SystemExit):
            self._end_work()
            raise
        finally:
            stop.set()
            wait(running)

    def close(self) -> None:
        """End the threads and free the workers."""
        self._end_work()
        self._threads.shutdown()
        self._close_workers()

    def _do(
        self, work: Callable[[Worker, Iterable[Item]], Result], items: Iterable[Item]
    ) -> Result:
        worker = self._idle.get()
        try:
            return work(worker, items)
        finally:
            self._idle.put(worker)

    def _end_work(self) -> None:
        """End the workers that can be ended: one may wait for a file that never comes."""
        if self._end_one is not None:
            for worker in self.workers:
                self._end_one(worker)

    def _close_workers(self) -> None:
        while self.workers:
            self.workers.pop().close()


class _StoppedError(Exception):
    """Stops a worker whose result is no longer needed."""


def _until(stop: Event, items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        if stop.is_set():
            raise _StoppedError
        yield item
