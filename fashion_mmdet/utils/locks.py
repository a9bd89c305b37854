"""A lock between processes that a killed one does not leave behind."""

import contextlib
import fcntl
import logging
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path, on_busy: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a file, which stays, while the block lasts; the kernel lets go when the process ends.

    Where the file system has no locks (some network shares), say so and go on without one.

    Args:
        path: of the file, made where it is missing.
        on_busy: called where another process holds the lock; it raises, or the lock is waited for.
    """
    with open(path, 'a') as file:
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_busy()
                fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:  # ENOLCK, ENOSYS, EOPNOTSUPP
            logging.getLogger(__name__).warning(
                '%s: locks do not work here (%s); see to it that no second process does the same at the same time',
                path.parent,
                error.strerror,
            )
        yield
