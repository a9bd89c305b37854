"""What tests of processes that are killed share: waiting for a state instead of for a time."""

import time
from collections.abc import Callable
from pathlib import Path


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 240) -> None:
    """Wait until something is so; an assertion that names it where it never is."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f'never happened: {what}'
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Return whether a process is there; one that has ended but was not waited for is not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid: int) -> set[int]:
    """List a process's children and theirs."""
    try:
        lists = [path.read_text().split() for path in Path(f'/proc/{pid}/task').glob('*/children')]
    except (FileNotFoundError, ProcessLookupError):
        return set()
    children = {int(child) for found in lists for child in found}
    return children.union(*map(children_of, children))
