"""`make ablation` does the steps in the order in which they need each other; `make demo` begins with a photo."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from matplotlib import get_data_path

from tests.conftest import ROOT

STEPS = ('baseline', 'heads', 'all', 'aug', 'ident', 'lossw', 'resampled', 'full', 'smooth')


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The Makefile in an installed environment without runs."""
    shutil.copy(ROOT / 'Makefile', tmp_path)
    for name in ('requirements.txt', 'pyproject.toml', '.venv/.installed'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def plan(folder: Path, target: str = 'ablation') -> list[str]:
    """List what `make ablation` would run, as 'tool step'."""
    lines = subprocess.run(['make', '-n', target], cwd=folder, check=True, capture_output=True, text=True).stdout
    found = re.findall(r'tools/(train|test|sensitivity)\.py \S*maskrcnn_lite0_(\w+)', lines.replace('\\\n', ' '))
    return [f'{tool} {step}' for tool, step in found]


def finish(folder: Path, step: str, name: str = 'val.json') -> None:
    file = folder / f'work_dirs/maskrcnn_lite0_{step}' / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def test_every_step_is_trained_then_tested_after_what_it_needs(folder: Path):
    steps = plan(folder)
    assert plan(folder, 'ladder') == steps, 'the former name'
    assert sorted(steps) == sorted(
        [*(f'{tool} {step}' for tool in ('train', 'test') for step in STEPS), 'sensitivity lossw']
    )
    for step in STEPS:
        assert steps.index(f'train {step}') < steps.index(f'test {step}')
        if step not in ('baseline', 'heads'):
            assert steps.index('test heads') < steps.index(f'train {step}')
    assert steps.index('test lossw') < steps.index('sensitivity lossw') < steps.index('train resampled')


def test_a_stopped_ablation_goes_on_with_the_steps_that_have_no_scores(folder: Path):
    for step in ('baseline', 'heads', 'all', 'aug', 'ident', 'lossw'):
        finish(folder, step)
    assert plan(folder) == [
        'sensitivity lossw',
        'train resampled',
        'test resampled',
        'train full',
        'test full',
        'train smooth',
        'test smooth',
    ]


def test_a_finished_ablation_only_compares(folder: Path):
    for step in STEPS:
        finish(folder, step)
    finish(folder, 'lossw', 'sensitivity.json')  # made from val.json, so never older
    assert plan(folder) == []


def test_the_steps_are_those_that_the_configs_have():
    assert sorted(path.stem.rpartition('_')[2] for path in (ROOT / 'configs/fashion/cpu').glob('*.py')) == sorted(STEPS)


def test_the_demo_shows_a_photo_s_garments_before_it_trains(folder: Path):
    """The sample photo stands where matplotlib keeps its own; other photos are named by PHOTO."""
    lines = subprocess.run(['make', '-n', 'demo'], cwd=folder, check=True, capture_output=True, text=True).stdout
    tools = re.findall(r'tools/(\w+)\.py', lines)
    assert tools[0] == 'predict'
    assert tools.index('predict') < tools.index('train')
    assert Path(get_data_path(), 'sample_data/grace_hopper.jpg').is_file()
    command = ['make', '-n', 'predict', 'PHOTO=a.jpg b.jpg']
    own = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    assert 'tools/predict.py a.jpg b.jpg --out' in own
