"""Bound how many requests are under way, and gather concurrent ones into batches for one worker thread."""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import anyio
from anyio import to_thread

Item = TypeVar('Item')
Result = TypeVar('Result')


class FullError(Exception):
    """As many requests as allowed are under way."""


class StoppedError(Exception):
    """The batcher takes no more requests."""


class Places:
    """A bounded number of places, for requests to hold from before they cost memory until they are answered."""

    def __init__(self, count: int) -> None:
        self.count, self.taken = count, 0

    @contextmanager
    def take(self, count: int = 1) -> Iterator[None]:
        """Hold places while the context lasts.

        Raises:
            FullError: not that many are free.
        """
        if self.taken + count > self.count:
            raise FullError
        self.taken += count
        try:
            yield
        finally:
            self.taken -= count


class _Request(Generic[Item, Result]):
    """An item that waits for its result."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.done = anyio.Event()
        self.result: Result | None = None
        self.error: Exception | None = None

    def finish(self, result: Result | None = None, error: Exception | None = None) -> None:
        self.result, self.error = result, error
        self.done.set()


class Batcher(Generic[Item, Result]):
    """Calls a function for lists of items that concurrent tasks hand in, one list at a time in a worker thread.

    While the function works, the next batch gathers by itself; an idle one waits `max_wait_s` for company. A task that
    is cancelled takes its item out of the queue. An error of a batch of several reaches nobody: each item is then tried
    by itself, and only the item that fails alone has its error.

    Args:
        call: takes a list of items and returns a result for each, in order.
        max_batch: most items of a call.
        max_wait_s: seconds that the first item of a batch waits for others.
        on_batch: told the size of each batch and the seconds that it took.
    """

    def __init__(
        self,
        call: Callable[[list[Item]], Sequence[Result]],
        max_batch: int = 8,
        max_wait_s: float = 0.005,
        on_batch: Callable[[int, float], None] = lambda size, seconds: None,
    ) -> None:
        self._call, self._on_batch = call, on_batch
        self._max_batch, self._max_wait_s = max_batch, max_wait_s
        self._queue: deque[_Request[Item, Result]] = deque()
        self._stopped = False
        self._changed = anyio.Event()
        self._one_call = anyio.CapacityLimiter(1)

    @property
    def waiting(self) -> int:
        """Number of items in the queue."""
        return len(self._queue)

    async def submit(self, item: Item) -> Result:
        """Return the function's result for an item; raises what the function raised for it alone, or StoppedError."""
        if self._stopped:
            raise StoppedError
        request = _Request(item)
        self._queue.append(request)
        self._wake()
        try:
            await request.done.wait()
        except anyio.get_cancelled_exc_class():
            if request in self._queue:  # else it is being worked on, and its result is dropped
                self._queue.remove(request)
            raise
        if request.error is not None:
            raise request.error
        return request.result

    def stop(self) -> None:
        """Take no more items; `run` ends when those in the queue are done."""
        self._stopped = True
        self._wake()

    async def run(self) -> None:
        """Work until stopped; where it is cancelled, those who wait get StoppedError."""
        try:
            while batch := await self._gather():
                await self._serve(batch)
        finally:
            self._stopped = True
            while self._queue:
                self._queue.popleft().finish(error=StoppedError())

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _gather(self) -> list[_Request[Item, Result]]:
        """Wait for a batch; it is empty when all is done and no more will come."""
        while True:
            while not self._queue and not self._stopped:
                await self._changed.wait()
            with anyio.move_on_after(self._max_wait_s):
                while len(self._queue) < self._max_batch and not self._stopped:
                    await self._changed.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]
            if batch or self._stopped:  # else all have gone while they waited for company
                return batch

    async def _serve(self, batch: list[_Request[Item, Result]]) -> None:
        start, error = time.perf_counter(), None
        try:
            items = [request.item for request in batch]
            results = await to_thread.run_sync(self._call, items, limiter=self._one_call)
            self._on_batch(len(batch), time.perf_counter() - start)
            if len(results) != len(batch):
                raise RuntimeError(f'{len(results)} results for a batch of {len(batch)}')
            for request, result in zip(batch, results, strict=True):
                request.finish(result)
            return
        except Exception as one:
            error = one
        except anyio.get_cancelled_exc_class():
            for request in batch:
                request.finish(error=StoppedError())
            raise
        if len(batch) == 1:
            batch[0].finish(error=error)
            return
        logging.getLogger(__name__).warning('a batch of %d failed, each is tried alone: %r', len(batch), error)
        for request in batch:
            await self._serve([request])
