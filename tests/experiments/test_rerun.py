"""Repeating a run, and what is said of two runs."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from fashion_mmdet.experiments import rerun
from fashion_mmdet.experiments.runs import read_runs
from tests.conftest import run_here
from tools import rerun as tool

CONFIG = "model = dict(type='MaskRCNN')\ntrain_cfg = dict(max_epochs={epochs})\nresume = {resume}\n"


def write_run(
    folder: Path, weight: float = 1.0, loss: float = 0.5, epochs: int = 2, resume: bool = False, **record
) -> Path:
    """Write a run of two logged losses and one score, with one weight."""
    log = folder / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    lines = [dict(loss=0.75, step=1, epoch=1), dict(loss=loss, step=2, epoch=2), {'fashion/score': 0.25, 'step': 2}]
    log.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    (folder / 'config.py').write_text(CONFIG.format(epochs=epochs, resume=resume))
    (folder / 'run.json').write_text(json.dumps(dict(packages=dict(torch='2.14.1', timm='1.0'), seed=0) | record))
    for epoch in (1, 2, 10):  # numbers, not text: 10 comes last
        torch.save(
            dict(state_dict=dict(w=torch.tensor([weight if epoch == 10 else 0.0, 2.0]))), folder / f'epoch_{epoch}.pth'
        )
    return folder


def compare(*folders: Path) -> dict[str, tuple[bool | None, str]]:
    return {what: (equal, detail) for what, equal, detail in rerun.compare_runs(*read_runs(folders))}


def test_a_copy_is_equal(tmp_path: Path):
    first = write_run(tmp_path / 'a')
    shutil.copytree(first, tmp_path / 'b')
    found = compare(first, tmp_path / 'b')
    assert found['weights'] == (True, '1 tensors, epoch_10.pth')
    assert found['val scores'] == (True, '1 logged')
    assert found['losses'] == (True, '2 logged')
    assert found['packages'] == (True, '')
    assert found['commit'] == (None, 'not recorded')
    done = run_here(tool.main, first, '--against', tmp_path / 'b')
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, 'weights and scores are equal')


def test_what_differs_is_named(tmp_path: Path):
    first = write_run(tmp_path / 'a', git=dict(commit='1' * 40, clean=False))
    (first / 'code.patch').write_text('--- a')
    other = write_run(
        tmp_path / 'b',
        weight=1.25,
        loss=0.625,
        epochs=3,
        packages=dict(torch='2.15.0', numpy='2'),
        git=dict(commit='1' * 40),
    )
    found = compare(first, other)
    assert found['weights'] == (False, '1 of 1 tensors differ, by up to 0.25')
    assert found['losses'] == (False, '1 of 2; at step 2: 0.5 -> 0.625')
    assert found['val scores'][0] is True
    assert found['packages'] == (False, 'numpy - -> 2, timm 1.0 -> -, torch 2.14.1 -> 2.15.0')
    assert found['config'] == (False, 'train_cfg.max_epochs 2 -> 3')
    assert found['commit'] == (True, '')
    assert found['uncommitted changes'] == (False, 'see code.patch')
    assert run_here(tool.main, first, '--against', other).returncode == 1


def test_runs_that_ended_elsewhere_have_no_weights_to_compare(tmp_path: Path):
    first, other = write_run(tmp_path / 'a'), write_run(tmp_path / 'b')
    (other / 'epoch_10.pth').unlink()
    assert compare(first, other)['weights'] == (None, 'different ends: epoch_10.pth, epoch_2.pth')
    assert run_here(tool.main, first, '--against', other).returncode == 1


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        (dict(resume=True, command='python tools/train.py x.py'), 'was resumed'),
        (dict(world_size=2), 'trained by 2 processes'),
    ],
)
def test_what_the_folder_alone_does_not_repeat_is_one_line(tmp_path: Path, changes: dict, complaint: str):
    done = run_here(tool.main, write_run(tmp_path / 'a', **changes))
    assert done.returncode == 2
    assert done.stderr.startswith(f'rerun: {tmp_path}')
    assert complaint in done.stderr
    assert done.stderr.count('\n') == 1


def test_a_folder_with_something_in_it_is_not_trained_into(tmp_path: Path):
    first = write_run(tmp_path / 'a')
    write_run(tmp_path / 'a_rerun')
    done = run_here(tool.main, first)
    assert (done.returncode, 'not empty' in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_run_repeated_from_its_folder_has_the_same_weights(
    tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In a process of its own, whatever FASHION_DATA names by now."""
    monkeypatch.setenv('PYTHONPATH', f'{Path(__file__).parents[2]}:{Path(__file__).parents[1]}')
    monkeypatch.setenv('FASHION_DATA', str(tmp_path / 'elsewhere'))
    done = run_here(tool.main, tiny_run, '--out', tmp_path / 'again')
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == 'weights and scores are equal'
    assert {
        finding.what
        for finding in rerun.compare_runs(*read_runs([tiny_run, tmp_path / 'again']))
        if finding.equal is False
    } == set()
