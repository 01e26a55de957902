"""Engines side by side: order, bounds, errors, the end."""

from __future__ import annotations

import threading
import time
from itertools import count, islice

import pytest

from runtime.errors import BackendError, InputError
from runtime.workers.pool import Pool


class Engine:
    """Stands in for a backend: counts, and notices when two threads use it at once."""

    opened = 0

    def __init__(self):
        Engine.opened += 1
        self.closed = False
        self.busy = threading.Lock()

    def run(self, items, seconds=0.0):
        assert self.busy.acquire(blocking=False), "one engine in two threads"
        time.sleep(seconds)
        result = [item * 10 for item in items]
        self.busy.release()
        return result

    def close(self):
        self.closed = True


@pytest.fixture
def pool():
    opened = Pool(Engine, 3)
    yield opened
    opened.close()


def test_results_come_in_order_however_long_a_task_takes(pool):
    def work(engine, items):
        (item,) = items
        return engine.run([item], seconds=0.02 if item % 3 == 0 else 0.0)

    assert list(pool.map(work, ([n] for n in range(30)))) == [[n * 10] for n in range(30)]


def test_tasks_are_taken_only_a_little_ahead(pool):
    taken = []

    def tasks():
        for number in count():
            taken.append(number)
            yield [number]

    found = pool.map(lambda engine, items: engine.run(items), tasks())
    for done in range(1, 200):
        next(found)
        assert len(taken) - done < 2 * len(pool.workers)
    found.close()


def test_workers_really_run_side_by_side(pool):
    meeting = threading.Barrier(3, timeout=5)  # breaks unless three threads wait at once

    def work(engine, items):
        meeting.wait()
        return engine.run(items)

    assert len(list(pool.map(work, ([n] for n in range(6))))) == 6


def test_an_error_reaches_the_caller_at_its_place_and_the_pool_goes_on(pool):
    def work(engine, items):
        (item,) = items
        if item == 5:
            raise BackendError("the engine failed")
        return item

    found = pool.map(work, ([n] for n in count()))
    assert list(islice(found, 5)) == [0, 1, 2, 3, 4]
    with pytest.raises(BackendError, match="the engine failed"):
        next(found)
    assert list(pool.map(lambda _, items: list(items), [[1], [2]])) == [[1], [2]]


def test_a_caller_that_leaves_does_not_wait_for_whole_tasks(pool):
    done = []

    def work(engine, items):
        for item in items:
            time.sleep(0.01)
            done.append(item)

    found = pool.map(work, ([n] if n == 0 else range(1000) for n in range(9)))
    next(found)
    started = time.monotonic()
    found.close()
    assert time.monotonic() - started < 5  # a whole task takes 10 s
    assert len(done) < 1000


@pytest.mark.parametrize("workers", [0, -1, 257, 99_999])
def test_a_senseless_number_of_workers_is_refused_before_any_engine_opens(workers):
    before = Engine.opened
    with pytest.raises(InputError, match=f"must be 1 to 256, not {workers}"):
        Pool(Engine, workers)
    assert Engine.opened == before


def test_engines_are_closed_also_when_one_does_not_open():
    engines = []

    def open_engine():
        if len(engines) == 2:
            raise BackendError("out of memory")
        engines.append(Engine())
        return engines[-1]

    with pytest.raises(BackendError, match="out of memory"):
        Pool(open_engine, 3)
    assert [engine.closed for engine in engines] == [True, True]
