"""Settings and fixtures for all tests."""

import gc
import io
import os
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import remembered  # noqa: F401  configs load and dump faster
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.visualization import Visualizer

import fashion_mmdet  # noqa: F401  mmcv's operators must be in place before any test imports mmdet

from mmdet.visualization import DetLocalVisualizer  # isort: skip

torch.set_num_threads(1)  # the tensors are tiny, and so times and sums do not depend on the machine's cores

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_finish() -> None:
    """Take what was imported out of the garbage collector's sight: mmengine collects for every data set it builds."""
    gc.collect()
    gc.freeze()


def forget_runs() -> None:
    """Let no run share logger, log or visualizer of another that began in the same second: mmengine names them by it.

    All begin in the same default scope, in which names of registries are looked up.
    """
    for manager in (MMLogger, MessageHub, Visualizer, DetLocalVisualizer, DefaultScope):
        manager._instance_dict.clear()
    init_default_scope('mmdet')


@pytest.fixture(autouse=True)
def _own_loggers() -> None:
    forget_runs()


def find_ccp() -> Path:
    """Find the Clothing Co-Parsing folder: FASHION_CCP, or data/ccp in a folder beside the repository."""
    beside = [path for path in sorted(ROOT.parent.glob('*/data/ccp')) if (path / 'label_list.mat').is_file()]
    return Path(os.environ.get('FASHION_CCP') or (beside[0] if beside else ROOT / 'CCP'))


def run_here(main: Callable[[list[str]], int], *arguments) -> subprocess.CompletedProcess:
    """Run a tool's `main` in this process; status and output as of a process of its own, without seconds of imports."""
    argv, stdout, stderr = [str(one) for one in arguments], io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            status = main(argv)
        except SystemExit as exit_:
            status = exit_.code
    return subprocess.CompletedProcess(argv, status, stdout.getvalue(), stderr.getvalue())


# The demo's model on a handful of drawn people, two short epochs, in this process.
TINY_CONFIG = """
_base_ = '{root}/configs/fashion/quickstart.py'
default_hooks = dict(logger=dict(interval=1))
custom_imports = dict(imports=['fashion_mmdet.register', 'record_batches'])
custom_hooks = [dict(type='RecordBatches')]
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(num_images=6, pipeline={pipeline}))
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
optim_wrapper = dict(type='OptimWrapper')
train_cfg = dict(max_epochs=2, val_interval=2)
"""
TINY_PIPELINE = """[
    dict(type='LoadScaled', scale=(192, 128)), dict(type='PackDetInputs')]"""


@pytest.fixture(scope='session')
def sample_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated data set of 12 train and 4 test photos, 96x64; FASHION_DATA names it for the whole session."""
    from fashion_mmdet.synthetic import make_sample

    root = tmp_path_factory.mktemp('data') / 'sample'
    make_sample(root, images=12, test_images=4, height=96, width=64, seed=3, workers=1)
    os.environ['FASHION_DATA'] = str(root)
    return root


@pytest.fixture(scope='session')
def tiny_config(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config that trains in seconds and records which images it saw at which rate."""
    path = tmp_path_factory.mktemp('configs') / 'tiny.py'
    path.write_text(TINY_CONFIG.format(root=ROOT, pipeline=TINY_PIPELINE))
    return path


@pytest.fixture(scope='session')
def tiny_run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work_dir of a finished run of `tiny_config`."""
    from tools import train

    folder = tmp_path_factory.mktemp('runs') / 'tiny'
    forget_runs()  # this fixture may come before those of the test
    assert train.main([str(tiny_config), '--work-dir', str(folder)]) == 0
    return folder
