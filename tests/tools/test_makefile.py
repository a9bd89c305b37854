"""`make ladder`: the rungs in the order in which they need each other, and only those not yet done."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

RUNGS = ('baseline', 'heads', 'all', 'aug', 'ident', 'lossw', 'resampled', 'full', 'smooth')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The Makefile in an installed environment without runs."""
    shutil.copy(ROOT / 'Makefile', tmp_path)
    for name in ('requirements.txt', 'pyproject.toml', '.venv/.installed'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def plan(folder: Path) -> list[str]:
    """List what `make ladder` would run, as 'tool rung'."""
    lines = subprocess.run(['make', '-n', 'ladder'], cwd=folder, check=True, capture_output=True, text=True).stdout
    found = re.findall(r'tools/(train|test|sensitivity)\.py \S*maskrcnn_lite0_(\w+)', lines.replace('\\\n', ' '))
    return [f'{tool} {rung}' for tool, rung in found]


def finish(folder: Path, rung: str, name: str = 'val.json') -> None:
    file = folder / f'work_dirs/maskrcnn_lite0_{rung}' / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def test_every_rung_is_trained_then_tested_after_what_it_needs(folder: Path):
    steps = plan(folder)
    assert sorted(steps) == sorted(
        [*(f'{tool} {rung}' for tool in ('train', 'test') for rung in RUNGS), 'sensitivity lossw']
    )
    for rung in RUNGS:
        assert steps.index(f'train {rung}') < steps.index(f'test {rung}')
        if rung not in ('baseline', 'heads'):
            assert steps.index('test heads') < steps.index(f'train {rung}')
    assert steps.index('test lossw') < steps.index('sensitivity lossw') < steps.index('train resampled')


def test_a_stopped_ladder_goes_on_with_the_rungs_that_have_no_scores(folder: Path):
    for rung in ('baseline', 'heads', 'all', 'aug', 'ident', 'lossw'):
        finish(folder, rung)
    assert plan(folder) == [
        'sensitivity lossw',
        'train resampled',
        'test resampled',
        'train full',
        'test full',
        'train smooth',
        'test smooth',
    ]


def test_a_climbed_ladder_only_compares(folder: Path):
    for rung in RUNGS:
        finish(folder, rung)
    finish(folder, 'lossw', 'sensitivity.json')  # made from val.json, so never older
    assert plan(folder) == []


def test_the_rungs_are_those_that_the_configs_have():
    assert sorted(path.stem.rpartition('_')[2] for path in (ROOT / 'configs/fashion/cpu').glob('*.py')) == sorted(RUNGS)
