"""Measures contenders side by side: interleaved rounds, medians, peak memory in a fresh process each."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress


@dataclass(frozen=True)
class Contender:
    """One way of doing a piece of work.

    Attributes:
        name: for the table.
        prepare: builds the input, from nothing or from a fixed seed, and returns what is timed. A function of a module
            (or a functools.partial of one), so that a fresh process can run it.
    """

    name: str
    prepare: Callable[[], Callable[[], object]]


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


def measure(
    contenders: Sequence[Contender], rounds: int = 5, memory: bool = True, progress: Progress | None = None
) -> list[Measured]:
    """Time contenders in turn, one call each a round, so that a slow spell of the machine hits all of them.

    A first call of each warms caches up and does not count.

    Args:
        contenders: in the order of the table.
        rounds: timed calls of each.
        memory: also measure each one's peak memory, in a process of its own.
        progress: advances by one a call.
    """
    calls = [contender.prepare() for contender in contenders]
    task = progress.add_task(contenders[0].name, total=len(calls) * (rounds + 1 + memory)) if progress else None
    times: list[list[float]] = [[] for _ in calls]
    for round_ in range(rounds + 1):
        for call, spent in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            if round_:
                spent.append(time.perf_counter() - start)
            if progress:
                progress.advance(task)
    del calls
    peaks: list[int | None] = []
    for contender in contenders:
        peaks.append(peak_memory(contender) if memory else None)
        if progress and memory:
            progress.advance(task)
    return [
        Measured(contender.name, statistics.median(spent), peak)
        for contender, spent, peak in zip(contenders, times, peaks, strict=True)
    ]


def peak_memory(contender: Contender) -> int:
    """Measure how far one call drives a fresh process's resident memory above the prepared input, in bytes.

    Reads Linux's VmHWM, which counts the pages of native libraries too.

    Raises:
        RuntimeError: the call failed there.
    """
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report_peak, args=(contender.prepare, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        raise RuntimeError(f'{contender.name}: the process that measures its memory failed') from None
    finally:
        process.join()


def _report_peak(prepare: Callable[[], Callable[[], object]], sender) -> None:
    call = prepare()
    before = status_bytes('VmRSS')
    Path('/proc/self/clear_refs').write_text('5')  # sets the high-water mark back to what is resident now
    result = call()
    peak = status_bytes('VmHWM')
    del result
    sender.send(max(peak - before, 0))


def status_bytes(name: str, pid: int | str = 'self') -> int:
    """Read a size of a process, such as VmRSS or VmHWM, from Linux's /proc; bytes."""
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith(f'{name}:'):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f'/proc/{pid}/status has no {name}')


def to_rows(work: str, measured: Sequence[Measured]) -> list[tuple[str, ...]]:
    """Lay measurements out as rows: work, contender, time, how many times ours, peak memory, how many times ours.

    Args:
        work: what was done.
        measured: ours first.
    """
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


HEADER = ('work', 'by', 'time', 'times ours', 'peak memory', 'times ours')


def format_seconds(seconds: float) -> str:
    """Write a duration with three digits and the unit that fits."""
    for unit, factor in (('s', 1.0), ('ms', 1e3)):
        if seconds * factor >= 1:
            return f'{seconds * factor:.3g} {unit}'
    return f'{seconds * 1e6:.3g} us'
