"""Training steps a second on a CPU, alone and beside a process that keeps a core busy, by how threads wait."""

import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import Progress

from fashion_mmdet.benchmarks.timing import Table, ticker
from fashion_mmdet.synthetic import make_sample
from fashion_mmdet.utils.parallel import count_cores

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs' / 'fashion' / 'maskrcnn_lite0_cpu.py'
BATCH, WARM_UP = 8, 2
# What the environment says. libgomp by itself spins 300,000 times.
CONTENDERS = {
    'as the package sets it': {},
    'as libgomp does': dict(GOMP_SPINCOUNT='300000'),
    'passive waiting': dict(OMP_WAIT_POLICY='passive'),
    'one thread': dict(OMP_NUM_THREADS='1'),
    # As many as share a batch evenly: 2 on 2 cores, 4 on 4.
    'a process a core, gloo': dict(OMP_NUM_THREADS='1', PROCESSES=str(math.gcd(count_cores(), BATCH))),
}
LOADS = {'alone': None, 'beside a busy process': 0, 'beside one of low priority': 19}  # its nice value
VARIABLES = ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'OMP_NUM_THREADS')
NOTE = (
    '{cores} cores; batches of {batch} photos of 256x384 through the loader and its two workers; median of '
    '{rounds} steps. Where Linux groups processes by session (autogroup), a nice value counts within a session '
    'only: a process of low priority in another terminal is a busy one, here for the processes of torchrun.'
)


def run(
    rounds: int,
    progress: Progress | None = None,
    config: Path = CONFIG,
    contenders: Sequence[str] = tuple(CONTENDERS),
    loads: Sequence[str] = tuple(LOADS),
) -> list[Table]:
    """Train some steps of a config in a process for each of the `CONTENDERS` and `LOADS`."""
    tick = ticker(progress, 'threads', len(contenders) * len(loads))
    rows = []
    with tempfile.TemporaryDirectory(prefix='fashion_mmdet_') as folder:
        make_sample(Path(folder) / 'data', images=BATCH * (WARM_UP + rounds), height=384, width=256, seed=0)
        for name in contenders:
            cells = []
            for load in loads:
                with busy_process(LOADS[load]):
                    seconds = train(config, Path(folder), CONTENDERS[name])
                cells.append(f'{1 / statistics.median(seconds[WARM_UP:]):.2f}')
                tick()
            rows.append((name, *cells))
    note = NOTE.format(cores=count_cores(), batch=BATCH, rounds=rounds)
    return [Table('Training steps a second on a CPU', ('threads', *loads), rows, note)]


@contextmanager
def busy_process(niceness: int | None) -> Iterator[subprocess.Popen | None]:
    """Keep a core busy with a process of a nice value; None for none."""
    if niceness is None:
        yield None
        return
    process = subprocess.Popen(['nice', '-n', str(niceness), sys.executable, '-c', 'while True: pass'])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def train(config: Path, folder: Path, settings: dict[str, str]) -> list[float]:
    """Train an epoch on the sample in `folder`/data, in as many processes as the settings say.

    Returns:
        Seconds of each step, the loader's part included.
    """
    processes = int(settings.get('PROCESSES', 1))
    launcher = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={processes}']
    with tempfile.TemporaryDirectory(dir=folder) as work_dir:
        command = [
            sys.executable,
            *(launcher if processes > 1 else []),
            str(ROOT / 'tools' / 'train.py'),
            str(config),
            '--launcher',
            'pytorch' if processes > 1 else 'none',
            '--work-dir',
            work_dir,
            '--cfg-options',
            f'train_dataloader.dataset.data_root={folder}/data',
            f'val_dataloader.dataset.data_root={folder}/data',
            'train_dataloader.dataset.split=all',
            f'train_dataloader.batch_size={BATCH // processes}',
            'train_cfg.max_epochs=1',
            'train_cfg.val_begin=2',
            'default_hooks.checkpoint.interval=2',
            'default_hooks.logger.interval=1',
            'log_processor.window_size=1',
        ]
        start(command, settings)
        (scalars,) = Path(work_dir).glob('*/vis_data/scalars.json')
        return [step['time'] for step in map(json.loads, scalars.read_text().splitlines()) if 'loss' in step]


def start(command: list[str], settings: dict[str, str]) -> None:
    """Run a command with some settings in place of the environment's; RuntimeError with what it said last."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(command, env={**environment, **settings}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f'{" ".join(command)}: {done.stderr[-1000:]}')
