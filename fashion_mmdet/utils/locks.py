"""A lock between processes that a killed one does not leave behind."""

import contextlib
import errno
import fcntl
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO


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
            warning = take_lock(file)
        except BlockingIOError:
            on_busy()
            warning = take_lock(file, wait=True)
        if warning:
            logging.getLogger(__name__).warning(warning)
        yield


def take_lock(file: IO, wait: bool = False, inherited: bool = True) -> str | None:
    """Lock an open file.

    Args:
        file: open for writing.
        wait: for the process that holds the lock.
        inherited: by child processes, which hold it on when this one has ended (`flock`); False for `lockf`.

    Returns:
        A warning where the file system has no locks, else None.

    Raises:
        BlockingIOError: another process holds the lock, and `wait` is False.
    """
    lock = fcntl.flock if inherited else fcntl.lockf
    try:
        lock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            raise BlockingIOError(*error.args) from None
        return (  # ENOLCK, ENOSYS, EOPNOTSUPP
            f'{Path(file.name).parent}: locks do not work here ({error.strerror}); see to it that no second process '
            'does the same at the same time'
        )
    return None
