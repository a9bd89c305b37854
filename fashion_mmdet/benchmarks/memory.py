"""Memory of whole process trees, shared pages counted once, from Linux's /proc."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

PERIOD_S = 0.05


def rollup_bytes(name: str, pid: int | str = 'self') -> int:
    """Read a sum over a process's mappings, such as Pss (shared pages in equal parts) or Private_Dirty; bytes."""
    for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith(f'{name}:'):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f'/proc/{pid}/smaps_rollup has no {name}')


def shared_out_bytes(pids: Sequence[int]) -> int:
    """Sum what processes hold; a page that n of them share counts 1/n in each, so once."""
    return sum(rollup_bytes('Pss', pid) for pid in pids)


def family(pid: int) -> list[int]:
    """List a process and all that it started."""
    found = [pid]
    for parent in found:
        for children in Path(f'/proc/{parent}/task').glob('*/children'):
            found.extend(map(int, children.read_text().split()))
    return found


class PeakOfFamily:
    """Samples the memory of a process and its children 20 times a second; `peak_bytes` has the most seen."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak_bytes = pid, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> 'PeakOfFamily':
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self.peak_bytes = max(self.peak_bytes, shared_out_bytes(family(self.pid)))
            except (OSError, RuntimeError):  # one of them has just ended: the next look will do
                continue
            finally:
                self._stop.wait(PERIOD_S)
