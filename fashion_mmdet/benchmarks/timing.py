"""Measures contenders side by side: interleaved rounds, medians, peak memory in a fresh process each."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from rich.progress import Progress

HEADER = ('work', 'by', 'time', 'times ours', 'peak memory', 'times ours')
# Builds the input, from nothing or from a fixed seed, and returns what is timed. A function of a module (or a
# functools.partial of one), so that a fresh process can run it.
Prepare = Callable[[], Callable[[], object]]


@dataclass(frozen=True)
class Measured:
    """A contender's median time in seconds and peak memory in bytes above what the prepared input takes."""

    name: str
    seconds: float
    peak_bytes: int | None


@dataclass(frozen=True)
class Table:
    """What a benchmark prints: a title, column headings, rows of text, and a line on what was measured how."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str = ''


def ticker(progress: Progress | None, name: str, total: int) -> Callable[[], None]:
    """Return what advances a bar by one, or does nothing without one."""
    if progress is None:
        return lambda: None
    task = progress.add_task(name, total=total)
    return lambda: progress.advance(task)


def measure(
    contenders: Mapping[str, Prepare], rounds: int = 5, memory: bool = True, progress: Progress | None = None
) -> list[Measured]:
    """Time contenders in turn, one call each a round, so that a slow spell of the machine hits all of them.

    A first call of each warms caches up and does not count.

    Args:
        contenders: by name, in the order of the table.
        rounds: timed calls of each.
        memory: also measure each one's peak memory, in a process of its own.
        progress: advances by one a call.
    """
    calls = [prepare() for prepare in contenders.values()]
    tick = ticker(progress, next(iter(contenders)), len(calls) * (rounds + 1 + memory))
    times: list[list[float]] = [[] for _ in calls]
    for round_ in range(rounds + 1):
        for call, spent in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if round_:
                spent.append(time.perf_counter() - start)
            tick()
    del calls
    found = []
    for (name, prepare), spent in zip(contenders.items(), times, strict=True):
        peak = None
        if memory:
            peak, _ = call_apart(peak_bytes, prepare)
            tick()
        found.append(Measured(name, statistics.median(spent), peak))
    return found


def compare(
    title: str,
    work: str,
    contenders: Mapping[str, Prepare],
    note: str,
    rounds: int,
    progress: Progress | None,
    memory: bool = True,
) -> Table:
    """Measure contenders, ours first, and lay them out as a table."""
    return Table(title, HEADER, to_rows(work, measure(contenders, rounds, memory, progress)), note)


def call_apart(
    function: Callable, *args: object, watch: Callable[[int], AbstractContextManager] = nullcontext
) -> tuple[object, object]:
    """Call a function in a fresh process.

    Args:
        function: of a module.
        args: its arguments.
        watch: makes a context, entered with the process's id while it works.

    Returns:
        What the function returned, and what the context gave.

    Raises:
        RuntimeError: the call failed there.
    """
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_result, args=(sender, function, args))
    process.start()
    sender.close()
    try:
        with watch(process.pid) as watched:
            return receiver.recv(), watched
    except EOFError:
        raise RuntimeError(f'{function.__name__} of {args}: the process that measures it failed') from None
    finally:
        process.join()


def _send_result(sender: Connection, function: Callable, args: tuple) -> None:
    sender.send(function(*args))


def peak_bytes(prepare: Prepare) -> int:
    """Measure how far one call drives this process's resident memory above the prepared input.

    Reads Linux's VmHWM, which counts the pages of native libraries too.
    """
    call = prepare()
    before = status_bytes('VmRSS')
    Path('/proc/self/clear_refs').write_text('5')  # sets the high-water mark back to what is resident now
    result = call()
    peak = status_bytes('VmHWM')
    del result
    return max(peak - before, 0)


def status_bytes(name: str) -> int:
    """Read a size of this process, such as VmRSS or VmHWM, from Linux's /proc; bytes."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{name}:'):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f'/proc/self/status has no {name}')


def to_rows(work: str, measured: Sequence[Measured]) -> list[tuple[str, ...]]:
    """Format measurements, ours first, as rows below `HEADER`."""
    ours = measured[0]
    return [
        (
            work if one is ours else '',
            one.name,
            format_seconds(one.seconds),
            f'{one.seconds / ours.seconds:.2f}',
            '-' if one.peak_bytes is None else f'{one.peak_bytes / 1e6:.1f} MB',
            '-' if one.peak_bytes is None else f'{one.peak_bytes / max(ours.peak_bytes or 0, 1e5):.1f}',
        )
        for one in measured
    ]


def format_seconds(seconds: float) -> str:
    """Write a duration with three digits and the unit that fits."""
    for unit, factor in (('s', 1.0), ('ms', 1e3)):
        if seconds * factor >= 1:
            return f'{seconds * factor:.3g} {unit}'
    return f'{seconds * 1e6:.3g} us'
