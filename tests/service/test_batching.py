"""Requests gather, errors keep to themselves, what is too much is refused, what has gone is dropped."""

import threading
from collections.abc import Awaitable, Callable

import pytest

anyio = pytest.importorskip('anyio')

from fashion_mmdet.service.batching import Batcher, FullError, Places, StoppedError  # noqa: E402


class Doubler:
    """Doubles numbers, notes the batches, fails for what is negative; a cleared gate holds it up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(list(items))
        assert self.gate.wait(60)
        if min(items) < 0:
            raise ValueError(f'{min(items)} is negative')
        return [2 * item for item in items]


async def until(is_so: Callable[[], bool]) -> None:
    """Let other tasks go on until something is so."""
    with anyio.fail_after(60):
        while not is_so():
            await anyio.sleep(0.001)


def run(test: Callable[[Batcher, Doubler, dict], Awaitable[None]], **options) -> Doubler:
    """Run a test beside a batcher that works; `results` of the test's tasks must be awaited by it."""
    doubler = Doubler()

    async def main() -> None:
        batcher = Batcher(doubler, **{'max_wait_s': 0, **options})
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                group.start_soon(batcher.run)
                await test(batcher, doubler, group)
                batcher.stop()

    anyio.run(main)
    return doubler


async def ask(batcher: Batcher, item: int, results: dict) -> None:
    """Keep the result or the error of an item."""
    try:
        results[item] = await batcher.submit(item)
    except Exception as error:
        results[item] = error


def test_what_comes_while_the_function_works_is_the_next_batch():
    """1 comes alone; 2 to 6 wait for it, of which at most 3 go together: 1, then 2 3 4, then 5 6."""

    async def test(batcher, doubler, group):
        results = {}
        doubler.gate.clear()
        group.start_soon(ask, batcher, 1, results)
        await until(lambda: doubler.batches)
        for item in range(2, 7):
            group.start_soon(ask, batcher, item, results)
        await until(lambda: batcher.waiting == 5)
        doubler.gate.set()
        await until(lambda: len(results) == 6)
        assert results == {item: 2 * item for item in range(1, 7)}

    assert run(test, max_batch=3).batches == [[1], [2, 3, 4], [5, 6]]


def test_an_idle_function_waits_for_company():
    """Two items fill the batch long before the minute is over."""

    async def test(batcher, doubler, group):
        results = {}
        group.start_soon(ask, batcher, 1, results)
        await until(lambda: batcher.waiting == 1)
        group.start_soon(ask, batcher, 2, results)
        await until(lambda: len(results) == 2)

    assert run(test, max_batch=2, max_wait_s=3600).batches == [[1, 2]]


def test_one_item_at_a_time_without_gathering():
    async def test(batcher, doubler, group):
        results = {}
        for item in range(3):
            group.start_soon(ask, batcher, item, results)
        await until(lambda: len(results) == 3)

    assert run(test, max_batch=1, max_wait_s=3600).batches == [[0], [1], [2]]


def test_an_error_reaches_only_whom_it_concerns():
    """The batch of 2, -3 and 4 fails, so each is tried alone."""

    async def test(batcher, doubler, group):
        results = {}
        for item in (2, -3, 4):
            group.start_soon(ask, batcher, item, results)
        await until(lambda: len(results) == 3)
        assert (results[2], results[4]) == (4, 8)
        assert str(results[-3]) == '-3 is negative'

    assert run(test, max_batch=3, max_wait_s=3600).batches == [[2, -3, 4], [2], [-3], [4]]


def test_results_that_do_not_fit_the_batch_are_an_error_of_each():
    async def main() -> None:
        batcher = Batcher(lambda items: [], max_batch=2)
        async with anyio.create_task_group() as group:
            group.start_soon(batcher.run)
            with pytest.raises(RuntimeError, match='0 results for a batch of 1'):
                await batcher.submit(1)
            batcher.stop()

    anyio.run(main)


def test_places_are_bounded_and_come_back():
    """Of 3 places 2 are taken: 2 more are too many, 1 fits; all are free in the end."""
    places = Places(3)
    with places.take(2):
        with pytest.raises(FullError), places.take(2):
            pass
        with places.take(1), pytest.raises(FullError), places.take():
            pass
    with places.take(3):
        assert places.taken == 3
    assert places.taken == 0


def test_who_goes_is_dropped_from_the_queue_and_spoils_nothing_of_a_batch_at_work():
    """1 is at work and 2 waits when both are cancelled: 2 is never worked on, 3 is answered."""

    async def test(batcher, doubler, group):
        results = {}
        doubler.gate.clear()
        async with anyio.create_task_group() as going:
            going.start_soon(ask, batcher, 1, results)
            await until(lambda: doubler.batches)
            going.start_soon(ask, batcher, 2, results)
            await until(lambda: batcher.waiting == 1)
            going.cancel_scope.cancel()
        assert batcher.waiting == 0
        group.start_soon(ask, batcher, 3, results)
        await until(lambda: batcher.waiting == 1)
        doubler.gate.set()
        await until(lambda: 3 in results)
        assert results == {3: 6}

    assert run(test).batches == [[1], [3]]


def test_all_going_while_they_wait_for_company_leaves_the_batcher_at_work():
    async def test(batcher, doubler, group):
        with anyio.move_on_after(0.05):  # gives up before the wait for company is over
            await batcher.submit(1)
        assert await batcher.submit(2) == 4

    assert run(test, max_wait_s=0.2).batches == [[2]]


def test_a_stop_finishes_what_was_handed_in_and_takes_no_more():
    async def test(batcher, doubler, group):
        results = {}
        doubler.gate.clear()
        for item in range(4):
            group.start_soon(ask, batcher, item, results)
        await until(lambda: batcher.waiting == 2)
        batcher.stop()
        with pytest.raises(StoppedError):
            await batcher.submit(9)
        doubler.gate.set()
        await until(lambda: len(results) == 4)
        assert results == {0: 0, 1: 2, 2: 4, 3: 6}

    assert run(test, max_batch=2, max_wait_s=0.05).batches == [[0, 1], [2, 3]]


def test_a_batcher_that_is_cancelled_ends_the_batch_at_work_and_tells_those_who_wait():
    """1 is at work, 2 waits."""
    results = {}

    async def main() -> None:
        doubler = Doubler()
        doubler.gate.clear()
        batcher = Batcher(doubler, max_wait_s=0)
        async with anyio.create_task_group() as group, anyio.create_task_group() as working:
            working.start_soon(batcher.run)
            group.start_soon(ask, batcher, 1, results)
            await until(lambda: doubler.batches)
            group.start_soon(ask, batcher, 2, results)
            await until(lambda: batcher.waiting == 1)
            working.cancel_scope.cancel()
            doubler.gate.set()

    anyio.run(main)
    assert results[1] == 2
    assert isinstance(results[2], StoppedError)
