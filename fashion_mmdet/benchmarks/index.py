"""The index of a train.csv of the competition's size: built once, opened again, beside parsing row by row."""

import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from rich.progress import Progress

from fashion_mmdet.benchmarks import competition_csv
from fashion_mmdet.benchmarks.memory import PeakOfFamily
from fashion_mmdet.benchmarks.timing import Table, format_seconds, status_bytes
from fashion_mmdet.datasets.index_build import count_cores
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.datasets.records import read_records

FRACTION = 20  # the peer parses one row in so many


class Cost(NamedTuple):
    """What a call cost: seconds, resident memory at its end, and how far its peak lay above its start; bytes."""

    seconds: float
    resident_bytes: int
    growth_bytes: int


def run(rounds: int, progress: Progress | None = None, rows: int = competition_csv.ROWS) -> list[Table]:
    """Write a CSV, build its index, then open it and parse a part of it by turns, each in a process of its own.

    Args:
        rounds: of opening and parsing; the index is built once.
        progress: advances by one a step.
        rows: of the CSV.
    """
    task = progress.add_task('index', total=2 + 2 * rounds) if progress else None

    def step(value):
        if progress:
            progress.advance(task)
        return value

    with tempfile.TemporaryDirectory(prefix='fashion_mmdet_') as folder:
        csv, part = Path(folder) / 'train.csv', Path(folder) / 'part.csv'
        images = step(competition_csv.write_csv(csv, rows))
        with open(csv) as source, open(part, 'w') as target:
            target.writelines(islice(source, 1 + rows // FRACTION))
        built, built_peak = step(_call_apart(open_index, csv))
        opened, parsed = [], []
        for _ in range(rounds):
            opened.append(step(_call_apart(open_labels, csv)[0]))
            parsed.append(step(_call_apart(read_records, part)[0]))
        csv_bytes, index_bytes = csv.stat().st_size, Path(f'{csv}.index.arrow').stat().st_size
    warm, again = (statistics.median(cost.seconds for cost in costs) for costs in (opened, parsed))
    again *= rows / (rows // FRACTION)
    resident = max(cost.resident_bytes for cost in opened)
    heap = statistics.median(cost.growth_bytes for cost in parsed) * rows / (rows // FRACTION)
    lines = [
        ('start, index there', format_seconds(warm), '1.0', _megabytes(resident)),
        ('parse row by row', format_seconds(again), f'{again / warm:,.0f}', _megabytes(heap)),
        ('build the index', format_seconds(built.seconds), f'{built.seconds / warm:,.0f}', _megabytes(built_peak))]
    note = (f'{rows:,} rows, {images:,} images, CSV {_megabytes(csv_bytes)}, index {_megabytes(index_bytes)}, '
            f'{count_cores()} cores. Start: to the labels of all images, without torch; resident memory of the '
            f'process; median of {rounds}. Parse: 1/{FRACTION} of the rows, time and growth times {FRACTION}. Build: '
            'once, memory of all processes together.')
    return [Table('index of train.csv', ('work', 'time', 'times the start', 'memory'), lines, note)]


def open_labels(csv: Path) -> object:
    """Open an index as a training run does: the labels of all images, and an image."""
    index = open_index(csv)
    return index, index.labels(), index.record(0)


def _call_apart(call: Callable[[Path], object], csv: Path) -> tuple[Cost, int]:
    """Run a call in a fresh process; its cost, and the peak of the process with its children, bytes."""
    context = get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(call, csv, sender))
    process.start()
    sender.close()
    try:
        with PeakOfFamily(process.pid) as watched:
            cost = receiver.recv()
    except EOFError:
        raise RuntimeError(f'{call.__name__}: the process that measures it failed') from None
    finally:
        process.join()
    return cost, watched.peak_bytes


def _report(call: Callable[[Path], object], csv: Path, sender: Connection) -> None:
    before = status_bytes('VmRSS')
    start = time.perf_counter()
    result = call(csv)
    seconds = time.perf_counter() - start
    resident, peak = status_bytes('VmRSS'), status_bytes('VmHWM')
    del result
    sender.send(Cost(seconds, resident, peak - before))


def _megabytes(size: float) -> str:
    return f'{size / 1e6:,.0f} MB'
