"""Several workers with the same model file, side by side."""

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
    Answer = TypeVar("Answer")


class Closable(Protocol):
    """What a pool owns."""

    def close(self) -> None:
        """Free it."""


Worker = TypeVar("Worker", bound=Closable)

_AHEAD = 2  # tasks a worker: one at work, one ready, so that none waits for the reader


def check_count(count: int) -> None:
    """Refuse a senseless number of workers.

    Raises:
        InputError: it is not 1 to 256.
    """
    if not 1 <= count <= MOST_THREADS:
        raise InputError(f"workers (--threads) must be 1 to {MOST_THREADS}, not {count}")


class Pool(Generic[Worker]):
    """Threads with one worker each: an engine in this process, or a process with one.

    An engine computes without Python's lock, so n engines of one thread use n cores. That
    gains more than n threads in one engine: no layer waits for the slowest of its parts.

    Attributes:
        workers: what works, one a thread.
    """

    def __init__(
        self,
        open_one: Callable[[], Worker],
        count: int,
        end_one: Callable[[Worker], None] | None = None,
    ) -> None:
        """Open the workers.

        Args:
            open_one: opens one.
            count: how many; 1 to 256.
            end_one: ends one in the middle of its work; None waits until it is done.

        Raises:
            InputError: another number of workers.
            BackendError: what ``open_one`` raises; workers open by then are closed.
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
        work: Callable[[Worker, Iterable[Item]], Answer],
        tasks: Iterable[Sequence[Item]],
    ) -> Iterator[Answer]:
        """Work on tasks side by side, and give the answers in order.

        At most two tasks a worker are taken ahead of the answers, so that memory does not
        grow with their number. If the caller stops, by an exception or early, the workers
        end at the next item.

        Args:
            work: gets a worker of its own and the items of one task.
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
                if not self.workers:
                    raise BackendError("the classifier was closed before all was answered")
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
        self, work: Callable[[Worker, Iterable[Item]], Answer], items: Iterable[Item]
    ) -> Answer:
        worker = self._idle.get()
        try:
            return work(worker, items)
        finally:
            self._idle.put(worker)

    def _end_work(self) -> None:
        """Let no worker go on that can be ended: it may wait for a file that never comes."""
        if self._end_one is not None:
            for worker in self.workers:
                self._end_one(worker)

    def _close_workers(self) -> None:
        while self.workers:
            self.workers.pop().close()


class _StoppedError(Exception):
    """Ends a worker whose answer nobody waits for."""


def _until(stop: Event, items: Iterable[Item]) -> Iterator[Item]:
    for item in items:
        if stop.is_set():
            raise _StoppedError
        yield item
