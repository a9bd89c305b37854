"""The worker pool: maps a function over all cores, in order, and leaves no process behind, whichever is killed."""

import contextlib
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from multiprocessing import current_process, get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.pool import ExceptionWithTraceback
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from types import ModuleType
from typing import TypeVar

Item = TypeVar('Item')
Result = TypeVar('Result')
CALLS_AHEAD_PER_WORKER = 8
ONE_THREAD = dict(OMP_NUM_THREADS='1', OPENCV_FOR_THREADS_NUM='1')


def count_cores() -> int:
    """Count the cores that this process may use, by its affinity mask and its container's quota."""
    import joblib  # takes half a second, and workers do not need it

    return joblib.cpu_count()


class WorkerPool:
    """Processes that call a function for many items.

    Use it in a `with` block: however that ends, by Ctrl-C too, the calls at hand are finished, the rest is dropped and
    the processes end. They end as well where this process is killed. Each has one thread and imports the function's
    module, which should therefore not import torch.

    Every worker has a pipe of its own, served by a thread. All workers of concurrent.futures share one: a worker killed
    while it writes a result leaves half a message there, for whose rest that pool waits forever.

    Args:
        workers: processes, started when first needed; None for one a core. With one, or in a process that may not have
            children (a data loader's worker), the calls stay in this process.
        initializer: called in each process before its first item.
    """

    def __init__(self, workers: int | None = None, initializer: Callable[[], None] | None = None) -> None:
        self.workers = 1 if current_process().daemon else workers or count_cores()
        self._initializer = initializer
        self._processes: list[BaseProcess] = []
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._threads = ThreadPoolExecutor(self.workers)

    def __enter__(self) -> 'WorkerPool':
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.terminate()
            process.join()

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Call a function for every item.

        Args:
            function: of a module, so that another process can import it.
            items: read only a little ahead of the results.

        Yields:
            The results in the items' order.

        Raises:
            ChildProcessError: a worker was killed. What the function raises comes as it is.
        """
        if self.workers == 1:
            yield from map(function, items)
            return
        items = iter(items)
        first = list(islice(items, CALLS_AHEAD_PER_WORKER * self.workers))
        self._start(min(self.workers, len(first)))
        futures = deque(self._threads.submit(self._call, function, item) for item in first)
        while futures:
            yield futures.popleft().result()
            futures.extend(self._threads.submit(self._call, function, item) for item in islice(items, 1))

    def _call(self, function: Callable[[Item], Result], item: Item) -> Result:
        """Call the function in an idle worker; runs in a thread."""
        connection = self._idle.get()
        try:
            connection.send((function, item))
            is_error, result = connection.recv()
        except (EOFError, OSError):
            raise ChildProcessError(
                'a worker process was killed (out of memory?): run the same command again, with '
                'fewer workers or more memory if that happens again'
            ) from None
        finally:
            self._idle.put(connection)  # a dead one too, to which the next call fails at once
        if is_error:
            raise result
        return result

    def _start(self, count: int) -> None:
        context = get_context('spawn')  # threads, such as OpenCV's and torch's, do not survive a fork
        resource_tracker.ensure_running()  # which lets Ctrl-C through again: not within `_spawning`
        while len(self._processes) < count:
            here, there = context.Pipe()
            process = context.Process(target=_serve, args=(there, self._initializer), daemon=True)
            with _spawning():
                process.start()
            there.close()
            self._processes.append(process)
            self._idle.put(here)


@contextlib.contextmanager
def _spawning() -> Iterator[None]:
    """Make a process that is started meanwhile ignore Ctrl-C and not run the user's script.

    Ctrl-C in a terminal reaches all processes, but only the parent is to act on it; blocked signals pass on to a child.
    Python would import `__main__` in the child, which begins all work again where a script has no main guard.
    """
    main, blocked = sys.modules['__main__'], signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    sys.modules['__main__'] = ModuleType('__main__')
    try:
        yield
    finally:
        sys.modules['__main__'] = main
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _serve(connection: Connection, initializer: Callable[[], None] | None) -> None:
    """Answer calls; what a worker does until it is terminated."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(ONE_THREAD)  # before a function's module loads the libraries that read it
    while True:
        function, item = connection.recv()
        try:
            if initializer is not None:
                initializer()
                initializer = None
            answer = ForkingPickler.dumps((False, function(item)))
        except Exception as error:  # the function's, the initializer's, or of a result that cannot be pickled
            answer = ForkingPickler.dumps((True, ExceptionWithTraceback(error, error.__traceback__)))
        connection.send_bytes(answer)


def _end_with_parent() -> None:
    parent_process().join()
    os._exit(1)
