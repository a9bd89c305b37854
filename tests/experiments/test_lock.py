"""One training a folder."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fashion_mmdet.experiments.lock import only_training
from tests.conftest import ROOT
from tools import train

# Holds the folder, in a process with a child as a data loader's worker is one, and says so; then sleeps.
HOLDER = """
import os, sys, time
from fashion_mmdet.experiments.lock import only_training
with only_training(sys.argv[1]):
    child = os.fork()
    if child:
        print(child, flush=True)
    time.sleep(600)
"""
# Ranks of one training: each holds the folder at the same time as the others, or fails with them.
RANKS = """
import sys, torch.distributed as dist
from fashion_mmdet.experiments.lock import only_training
dist.init_process_group('gloo')
try:
    with only_training(sys.argv[1]):
        dist.barrier()
        print('held\\n', end='', flush=True)  # the ranks share the pipe: one write a line
        dist.barrier()
except ValueError as error:
    print(f'refused: {error}\\n', end='', flush=True)
dist.destroy_process_group()
"""
ENVIRONMENT = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}


@contextmanager
def held(folder: Path) -> Iterator[tuple[subprocess.Popen, int]]:
    """Let another process hold a folder; gives it and its child's number."""
    with subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(folder)], env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as process:
        child = int(process.stdout.readline())
        try:
            yield process, child
        finally:
            process.kill()
            os.kill(child, signal.SIGKILL)


def test_a_second_training_is_refused_and_told_of_the_first(
    capsys: pytest.CaptureFixture, tiny_config: Path, tmp_path: Path
):
    with held(tmp_path) as (process, _), pytest.raises(SystemExit) as exit_:
        train.main([str(tiny_config), '--work-dir', str(tmp_path)])
    assert exit_.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('train: ')]
    assert f'{tmp_path}: another training runs here: process {process.pid} on {os.uname().nodename} since 20' in line
    assert [path.name for path in tmp_path.iterdir()] == ['.train.lock'], "nothing written into the first one's folder"


def test_a_killed_training_leaves_no_lock_though_its_workers_live_on(tmp_path: Path):
    with held(tmp_path) as (process, child):
        process.kill()
        process.wait()
        os.kill(child, 0)  # lives
        with only_training(tmp_path) as warning:
            assert warning is None


def test_a_training_that_ended_leaves_no_lock(tmp_path: Path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), only_training(tmp_path):
            raise ZeroDivisionError
    with held(tmp_path):
        pass


@pytest.mark.parametrize('code', [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_where_locks_do_not_work_the_training_says_so_and_goes_on(
    code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def refuse(*_) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, 'lockf', refuse)
    with only_training(tmp_path) as warning:
        assert warning.startswith(f'{tmp_path}: locks do not work here ({os.strerror(code)})')


def test_the_log_says_once_that_locks_do_not_work(monkeypatch: pytest.MonkeyPatch, tiny_config: Path, tmp_path: Path):
    def refuse(*_) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, 'lockf', refuse)
    options = ['--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.dataset.num_images=2']
    assert train.main([str(tiny_config), '--work-dir', str(tmp_path), *options]) == 0
    (log,) = tmp_path.glob('*/*.log')
    assert log.read_text().count('locks do not work here') == 1


@pytest.mark.slow
def test_ranks_of_one_training_hold_a_folder_together_and_fail_together(tmp_path: Path):
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2']
    script = tmp_path / 'ranks.py'
    script.write_text(RANKS)

    def launch() -> list[str]:
        done = subprocess.run(
            [*command, str(script), str(tmp_path / 'run')], env=ENVIRONMENT, text=True, capture_output=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert launch() == ['held', 'held']
    with held(tmp_path / 'run') as (process, _):
        lines = launch()
    assert len(lines) == 2
    assert all(f'another training runs here: process {process.pid}' in line for line in lines)
