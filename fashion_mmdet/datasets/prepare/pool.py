"""Maps over all cores with few results waiting, so that neither a long list nor a slow reader fills the memory."""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import TypeVar

import cv2

Item = TypeVar('Item')
Result = TypeVar('Result')
WAITING = 8  # calls handed out ahead, a worker


class Workers:
    """Processes that call functions for many items, in order; with one worker the calls stay in this process.

    Use it in a `with` block: whatever happens there, the calls at hand are finished, the rest is dropped, and the
    processes end. Killed, this process takes them along.

    Args:
        count: processes, started when first needed.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> 'Workers':
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Call a function for every item.

        Args:
            function: of a module, so that another process can run it.
            items: read only a little ahead of the results.

        Yields:
            The results in the items' order.

        Raises:
            OSError: a worker was killed, by the kernel for want of memory say. What the function raises comes as it is.
        """
        if self.count == 1:
            yield from map(function, items)
            return
        if self._pool is None:  # spawn: OpenCV's threads do not survive a fork
            self._pool = ProcessPoolExecutor(self.count, get_context('spawn'), initializer=_start_worker)
        items = iter(items)
        try:
            futures = deque(self._pool.submit(function, item) for item in islice(items, WAITING * self.count))
            while futures:
                yield futures.popleft().result()
                futures.extend(self._pool.submit(function, item) for item in islice(items, 1))
        except BrokenProcessPool:
            raise OSError('a worker process was killed, perhaps for want of memory: take fewer workers; the same '
                          'command goes on') from None


def _start_worker() -> None:
    """Keep a process to one core, leave Ctrl-C to the parent, and end when the parent was killed."""
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
