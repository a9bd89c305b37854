"""Threads on a CPU: how they wait, how many there are, and the benchmark of both."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import joblib
import pytest
import torch

from fashion_mmdet.benchmarks import threads
from fashion_mmdet.experiments import setup
from tests.conftest import ROOT
from tools import train


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch):
    """Two threads that nobody asked for, on two cores."""
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr(joblib, 'cpu_count', lambda: 2)
    monkeypatch.setattr(os, 'getloadavg', lambda: (0.2, 4.0, 4.0))
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ('settings', 'expected'), [({}, '1000'), (dict(GOMP_SPINCOUNT='7'), '7'), (dict(OMP_WAIT_POLICY='passive'), '0')]
)
def test_openmp_spins_briefly_unless_the_environment_says_otherwise(settings: dict[str, str], expected: str):
    """libgomp prints what it goes by when it is loaded; passive waiting means 0 spins."""
    environment = {name: value for name, value in os.environ.items() if name not in threads.VARIABLES}
    done = subprocess.run(
        [sys.executable, '-c', 'import fashion_mmdet, torch'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**environment, **settings, 'OMP_DISPLAY_ENV': 'verbose', 'PYTHONPATH': str(ROOT)},
    )
    if 'GOMP_SPINCOUNT' not in done.stderr:
        pytest.skip('this build of torch does not bring libgomp')
    assert f"GOMP_SPINCOUNT = '{expected}'" in done.stderr


@pytest.mark.parametrize(('asked', 'expected'), [(None, 1), ('2', 2)])
def test_no_more_threads_than_cores_of_the_container_unless_asked_for(
    two_threads: None, monkeypatch: pytest.MonkeyPatch, asked: str | None, expected: int
):
    monkeypatch.setattr(joblib, 'cpu_count', lambda: 1)
    if asked:
        monkeypatch.setenv('OMP_NUM_THREADS', asked)
    setup.use_own_cores()
    assert torch.get_num_threads() == expected


@pytest.mark.parametrize(
    ('load', 'warnings'),
    [(0.4, []), (1.2, ['load average 1 on 2 cores: if others go on using them, OMP_NUM_THREADS=1 may train faster'])],
)
def test_a_busy_machine_is_named_and_the_number_of_threads_stays(
    two_threads: None, monkeypatch: pytest.MonkeyPatch, load: float, warnings: list[str]
):
    """One of two cores is busy: one is free. Another number of threads would give other last digits."""
    printed: list[str] = []
    monkeypatch.setattr(os, 'getloadavg', lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(setup, 'print_log', lambda message, **_: printed.append(message))
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    setup.use_own_cores()
    assert torch.get_num_threads() == 2
    assert printed == warnings


def test_the_benchmark_trains_three_batches_of_the_sample(
    sample_root: Path, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """12 photos in batches of 4; the training is run here instead of in a process of its own."""
    (tmp_path / 'data').symlink_to(sample_root)
    monkeypatch.setattr(
        threads,
        'start',
        lambda command, _: train.main(
            [*command[2:], 'train_dataloader.batch_size=4', 'train_dataloader.dataset.num_images=12']
        ),
    )
    seconds = threads.train(tiny_config, tmp_path, threads.CONTENDERS['one thread'])
    assert len(seconds) == 3
    assert all(0 < step < 60 for step in seconds)


def test_the_benchmark_takes_the_median_after_two_steps_of_warm_up(monkeypatch: pytest.MonkeyPatch):
    """2, 4 and 8 s after warming up: 0.25 steps a second, beside a busy process of 8, 16 and 32 s 0.06."""
    loads = []
    monkeypatch.setattr(threads, 'make_sample', lambda *_, **__: None)
    monkeypatch.setattr(threads, 'train', lambda *_: [90.0, 90.0, *(2.0 * 4 ** len(loads) * 2**n for n in range(3))])
    monkeypatch.setattr(threads, 'busy_process', lambda nice: nullcontext(nice is not None and loads.append(nice)))
    (table,) = threads.run(3, None, contenders=['one thread'], loads=['alone', 'beside one of low priority'])
    assert table.header == ('threads', 'alone', 'beside one of low priority')
    assert table.rows == [('one thread', '0.25', '0.06')]
    assert loads == [19]


def test_the_busy_process_ends_with_its_block():
    with threads.busy_process(19) as process:
        assert process.poll() is None
    assert process.poll() is not None
