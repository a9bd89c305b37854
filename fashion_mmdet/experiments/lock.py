"""One training per folder, and work that rank 0 does for all ranks."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from mmengine import dist

from fashion_mmdet.utils.locks import take_lock

LOCK = '.train.lock'
T = TypeVar('T')


def on_main(function: Callable[[], T]) -> T:
    """Call a function in rank 0 alone; every rank gets its result, or its ValueError or OSError."""
    outcome: list = [None, None]
    if dist.is_main_process():
        try:
            outcome[0] = function()
        except (ValueError, OSError) as error:
            outcome[1] = error
    dist.broadcast_object_list(outcome)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


@contextlib.contextmanager
def only_training(folder: str | os.PathLike) -> Iterator[str | None]:
    """Keep other trainings out of a folder, made where it is missing, while the block lasts.

    The kernel drops the lock when this process ends. It is one of `lockf`: data loader workers, which may outlive a
    killed run by seconds, would inherit one of `flock`.

    Yields:
        None, or a warning that locks do not work in this folder.

    Raises:
        ValueError: another training runs here; says which.
    """
    with contextlib.ExitStack() as stack:
        yield on_main(lambda: _lock(Path(folder), stack))


def _lock(folder: Path, stack: contextlib.ExitStack) -> str | None:
    folder.mkdir(parents=True, exist_ok=True)
    # The file stays: a run that removed it could remove another's that has just been locked.
    file = stack.enter_context(open(folder / LOCK, 'a+'))  # noqa: SIM115
    try:
        if warning := take_lock(file, inherited=False):
            return warning
    except BlockingIOError:
        file.seek(0)
        raise ValueError(
            f'{folder}: another training runs here: {file.read() or "just begun"}; wait for it, stop it, '
            'or choose another --work-dir'
        ) from None
    file.truncate(0)
    file.write(f'process {os.getpid()} on {socket.gethostname()} since {datetime.now():%Y-%m-%d %H:%M:%S}')
    file.flush()
    return None
