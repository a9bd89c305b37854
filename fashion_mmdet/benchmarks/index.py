"""The index of a train.csv of the competition's size: built once, opened again, beside parsing row by row."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from rich.progress import Progress

from fashion_mmdet.benchmarks import competition_csv
from fashion_mmdet.benchmarks.memory import PeakOfFamily
from fashion_mmdet.benchmarks.timing import Table, call_apart, format_seconds, status_bytes, ticker
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.datasets.records import read_records
from fashion_mmdet.utils.parallel import count_cores

FRACTION = 20  # the peer parses one row in so many


class Cost(NamedTuple):
    """What a call cost: seconds by the clock and of all cores, resident memory at its end, its peak above its start."""

    seconds: float
    core_seconds: float
    resident_bytes: int
    growth_bytes: int


def run(rounds: int, progress: Progress | None = None, rows: int = competition_csv.ROWS) -> list[Table]:
    """Write a CSV, build its index once, then open it and parse a part of it by turns, each in a process of its own."""
    tick = ticker(progress, 'index', 2 + 2 * rounds)
    with tempfile.TemporaryDirectory(prefix='fashion_mmdet_') as folder:
        csv, part = Path(folder) / 'train.csv', Path(folder) / 'part.csv'
        images = competition_csv.write_csv(csv, rows)
        tick()
        with open(csv) as source, open(part, 'w') as target:
            target.writelines(islice(source, 1 + rows // FRACTION))
        built, watched = call_apart(measure_cost, open_index, csv, watch=PeakOfFamily)
        tick()
        opened, parsed = [], []
        for _ in range(rounds):
            for costs, call, path in ((opened, open_labels, csv), (parsed, read_records, part)):
                costs.append(call_apart(measure_cost, call, path)[0])
                tick()
        csv_bytes, index_bytes = csv.stat().st_size, Path(f'{csv}.index.arrow').stat().st_size
    scale = rows / (rows // FRACTION)
    (warm, warm_cores), (again, again_cores) = (
        [statistics.median(cost[field] for cost in costs) for field in range(2)] for costs in (opened, parsed)
    )
    resident = max(cost.resident_bytes for cost in opened)
    heap = statistics.median(cost.growth_bytes for cost in parsed)
    lines = [
        _row('start, index there', warm, warm_cores, warm, resident),
        _row('parse row by row', again * scale, again_cores * scale, warm, heap * scale),
        _row('build the index', built.seconds, built.core_seconds, warm, watched.peak_bytes),
    ]
    note = (
        f'{rows:,} rows, {images:,} images, CSV {_megabytes(csv_bytes)}, index {_megabytes(index_bytes)}, '
        f'{count_cores()} cores. Start: to the labels of all images, without torch; resident memory of the '
        f'process; median of {rounds}. Parse: 1/{FRACTION} of the rows, times and growth times {FRACTION}. Build: '
        'once, memory of all processes together. Core time: of all cores, other programs apart.'
    )
    return [Table('index of train.csv', ('work', 'time', 'core time', 'times the start', 'memory'), lines, note)]


def open_labels(csv: Path) -> object:
    """Open an index as a training run does: the labels of all images, and an image."""
    index = open_index(csv)
    return index, index.labels(), index.record(0)


def measure_cost(call: Callable[[Path], object], csv: Path) -> Cost:
    """Measure one call in this process."""
    before = status_bytes('VmRSS')
    start, cores = time.perf_counter(), _core_seconds()
    result = call(csv)
    seconds, cores = time.perf_counter() - start, _core_seconds() - cores
    resident, peak = status_bytes('VmRSS'), status_bytes('VmHWM')
    del result
    return Cost(seconds, cores, resident, peak - before)


def _core_seconds() -> float:
    """Return the time on all cores that this process and its ended children have taken so far."""
    return time.process_time() + sum(os.times()[2:4])


def _row(work: str, seconds: float, core_seconds: float, start_seconds: float, memory_bytes: float) -> tuple[str, ...]:
    times = f'{seconds / start_seconds:,.1f}'
    return work, format_seconds(seconds), format_seconds(core_seconds), times, _megabytes(memory_bytes)


def _megabytes(size: float) -> str:
    return f'{size / 1e6:,.0f} MB'
