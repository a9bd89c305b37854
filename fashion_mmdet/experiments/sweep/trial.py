"""One trial of a sweep: tools/train.py as a child process, and what it leaves in its work_dir."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from fashion_mmdet.experiments.runs import find_logs
from fashion_mmdet.experiments.train_log import SCORE, read_log

TRAIN = Path(__file__).resolve().parents[3] / 'tools' / 'train.py'
DIE_WITH_PARENT = Path(__file__).with_name('die_with_parent.py')
STDERR = 'stderr.txt'
PATIENCE_S = 30
# How tools/train.py begins its one-line errors, and how a traceback's last line begins.
ERROR_LINE = re.compile(r'train: |[\w.]+(Error|Exception)\b')


class TrainingFailed(Exception):
    """A training ended with an error, or without a score."""


def train_command(
    config: str, folder: Path, options: Sequence[str], resume: bool = False, train: Path = TRAIN, trust: bool = False
) -> list[str]:
    """Build the command line of a run; `trust` lets it load checkpoints that may run code."""
    command = [sys.executable, str(train), str(config), '--work-dir', str(folder)]
    return [*command, *['--resume'] * resume, *['--trust'] * trust, '--cfg-options', *options]


@contextlib.contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[subprocess.Popen]:
    """Run a command while the block lasts; leave no process behind, however the block ends.

    The child has a session of its own: Ctrl-C reaches only the sweep, which then ends the child and its data loader's
    workers; where the sweep is killed, the kernel ends the child. Its standard error goes to `stderr.txt` in the
    folder; its standard output is dropped, since mmengine writes the same to the run's log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prefix = [sys.executable, '-I', str(DIE_WITH_PARENT), str(os.getpid())]
    silent = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with open(folder / STDERR, 'wb') as stderr:
        process = subprocess.Popen([*prefix, *command], start_new_session=True, stderr=stderr, **silent)
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen, patience_s: float = PATIENCE_S) -> None:
    """End a child and its process group with SIGTERM, after `patience_s` seconds with SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
            is_running(process, patience_s)


def is_running(process: subprocess.Popen, wait_s: float) -> bool:
    """Wait at most `wait_s` seconds for a child's end; return whether it still runs."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(wait_s)
    return process.returncode is None


def read_scores(folder: Path) -> dict[int, float]:
    """Read the validation scores of a run, all its starts joined, by step (epochs, or iterations where none count)."""
    return {line['step']: float(line[SCORE]) for line in read_log(find_logs(folder)).val}


def check_ended_well(process: subprocess.Popen, folder: Path) -> None:
    """Raise TrainingFailed with the child's last error line if it did not exit with 0."""
    if process.returncode < 0:
        raise TrainingFailed(f'ended by {signal.Signals(-process.returncode).name}')
    if process.returncode:
        lines = [line for line in (folder / STDERR).read_text(errors='replace').splitlines() if line.strip()]
        errors = [line for line in lines if ERROR_LINE.match(line)] or lines
        raise TrainingFailed(errors[-1] if errors else f'exit status {process.returncode}')
