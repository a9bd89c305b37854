"""Try inputs on every entrance for some minutes, each entrance in a process of its own that is watched.

    make fuzz MINUTES=10        python tests/fuzz.py --minutes 10 --seed 0

Prints a table: inputs, tracebacks, deaths, hangs and the process's memory after the first and the last thousand inputs.
What failed is kept in --out, one file a failure. Status 1 when anything failed.
"""

import argparse
import multiprocessing
import os
import pickle
import sys
import threading
import time
import traceback
from pathlib import Path

import hypothesis
import psutil
from entrances import ENTRANCES, Entrance

HANG_S = 120  # the slowest sound input takes a tenth of a second, but the first may compile for a while
BATCH = 1000


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=10, help='in all (default %(default)s)')
    parser.add_argument('--seed', type=int, default=int(time.time()), help='default: the time')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/fuzz'), help='for failures (default %(default)s)')
    return parser.parse_args(argv)


def try_inputs(entrance: Entrance, seed: int, until: float, current: Path, results: multiprocessing.Queue) -> None:
    """Check batches of inputs until the time is up; the input at hand is in `current`, so that a death tells of it."""
    tried = 0

    def check(given: object) -> None:
        nonlocal tried
        tried += 1
        current.write_bytes(pickle.dumps(given))
        entrance.check(given)

    while time.time() < until:
        settings = hypothesis.settings(
            max_examples=BATCH,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=[hypothesis.Phase.generate],
            derandomize=False,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        test = hypothesis.seed(seed)(settings(hypothesis.given(entrance.inputs)(check)))
        try:
            test()
        except Exception:
            results.put(('traceback', traceback.format_exc()))
        seed += 1
        results.put(('batch', (tried, psutil.Process().memory_info().rss / 2**20)))


def watch(entrance: Entrance, seed: int, seconds: float, out: Path) -> dict:
    """Fuzz one entrance in a process; begin again where that dies or hangs."""
    found = dict(inputs=0, tracebacks=0, deaths=0, hangs=0, memory=[])
    until, context = time.time() + seconds, multiprocessing.get_context('spawn')
    current = out / f'{entrance.name}.input'
    while time.time() < until:
        results = context.Queue()
        process = context.Process(target=_run, args=(entrance.name, seed, until, current, results))
        process.start()
        tried = _collect(process, results, current, found, out / f'{entrance.name}_{seed}')
        found['inputs'] += tried
        seed += 1_000_000
    current.unlink(missing_ok=True)
    return found


def _run(name: str, seed: int, until: float, current: Path, results: multiprocessing.Queue) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try_inputs(next(entrance for entrance in ENTRANCES if entrance.name == name), seed, until, current, results)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _collect(
    process: multiprocessing.Process, results: multiprocessing.Queue, current: Path, found: dict, kept: Path
) -> int:
    """Read what a process reports until it ends, dies or stays on one input; the number of inputs it tried."""
    tried, moved = 0, time.time()
    while True:
        while not results.empty():
            kind, value = results.get()
            if kind == 'batch':
                tried = value[0]
                found['memory'].append(value[1])
            else:
                found['tracebacks'] += 1
                kept.with_suffix('.txt').write_text(value)
        if not process.is_alive() and results.empty():
            break
        if current.exists():
            moved = max(moved, current.stat().st_mtime)
        if time.time() - moved > HANG_S and process.is_alive():
            process.kill()
            process.join()
            found['hangs'] += 1
            current.replace(kept.with_suffix('.hang'))
            return tried
        time.sleep(0.05)
    process.join()
    if process.exitcode:
        found['deaths'] += 1
        if current.exists():
            current.replace(kept.with_suffix('.death'))
    return tried


def main(argv: list[str] | None = None) -> int:
    """Fuzz all entrances in turn and print what came of it."""
    from rich.console import Console
    from rich.table import Table

    args = parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    table = Table('entrance', 'inputs', 'tracebacks', 'deaths', 'hangs', 'MB first', 'MB last')
    total = dict(inputs=0, tracebacks=0, deaths=0, hangs=0)
    for entrance in ENTRANCES:
        found = watch(entrance, args.seed, 60 * args.minutes / len(ENTRANCES), args.out)
        for key in total:
            total[key] += found[key]
        memory = [f'{found["memory"][place]:.0f}' for place in (0, -1)] if found['memory'] else ['', '']
        table.add_row(entrance.name, *(f'{found[key]:,}' for key in total), *memory)
    table.add_row('all', *(f'{total[key]:,}' for key in total), '', '')
    Console().print(table)
    print(f'seed {args.seed}; failures in {args.out}')
    return int(any(total[key] for key in ('tracebacks', 'deaths', 'hangs')))


if __name__ == '__main__':
    sys.exit(main())
