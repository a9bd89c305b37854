"""Where models come from: the right checkpoint, errors in one line, and nothing of a stranger's is run."""

from pathlib import Path

import pytest
import torch

from fashion_mmdet import load_model
from fashion_mmdet.inference.sources import find_checkpoint, read_source

CONFIG = "model = dict(type='{kind}'{more})\ntest_dataloader = dict(dataset=dict(pipeline=dict({pipeline})))\n"


def write_run(folder: Path, kind: str = 'MaskRCNN', more: str = '', pipeline: str = '') -> Path:
    """Write what a run leaves, with weights that are none of its model."""
    folder.mkdir(exist_ok=True)
    (folder / 'config.py').write_text(CONFIG.format(kind=kind, more=more, pipeline=pipeline))
    (folder / 'run.json').write_text('{}')
    torch.save(dict(state_dict=dict(a=torch.ones(1))), folder / 'epoch_1.pth')
    return folder


@pytest.mark.parametrize(
    ('names', 'wanted'),
    [
        (['epoch_9.pth', 'epoch_10.pth'], 'epoch_10.pth'),
        (['iter_100.pth', 'iter_20.pth'], 'iter_100.pth'),
        (
            ['best_fashion_score_epoch_4.pth', 'best_fashion_score_epoch_12.pth', 'epoch_20.pth'],
            'best_fashion_score_epoch_12.pth',
        ),
    ],
)
def test_the_best_checkpoint_is_taken_else_the_last(tmp_path: Path, names: list[str], wanted: str):
    for name in [*names, 'other.pth']:
        (tmp_path / name).touch()
    assert find_checkpoint(tmp_path) == tmp_path / wanted


@pytest.mark.parametrize(
    'run',
    [
        dict(kind='os.system', more=", command='touch {trap}'"),
        dict(kind='mmengine.load', more=", file='{trap}'"),
        dict(kind='antigravity'),
        dict(more=', test_cfg=dict(rcnn=dict(nms=dict(type=\'open("{trap}", "w")\')))'),
        dict(more=', backbone=dict(type=7)'),
        dict(pipeline="load=dict(type='subprocess.Popen', args='touch {trap}')"),
    ],
)
def test_nothing_that_a_stranger_s_config_names_is_run_or_imported(tmp_path: Path, run: dict):
    trap = tmp_path / 'trap'
    folder = write_run(tmp_path / 'run', **{name: text.replace('{trap}', str(trap)) for name, text in run.items()})
    with pytest.raises(ValueError, match=r'config\.py: .*type=.* is no part that mmdet or this package registers'):
        load_model(folder)
    assert not trap.exists()


def test_a_config_that_is_a_program_is_not_run_in_a_run_s_folder(tmp_path: Path):
    folder = write_run(tmp_path / 'run')
    (folder / 'config.py').write_text(f'open({str(tmp_path / "trap")!r}, "w")\n')
    with pytest.raises(ValueError, match='not plain data'):
        load_model(folder)
    assert not (tmp_path / 'trap').exists()


def test_what_is_missing_or_does_not_fit_is_said_in_one_line(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r'nowhere: no such checkpoint'):
        read_source(tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='no run; a run has its config'):
        read_source(tmp_path)
    folder = write_run(tmp_path / 'run')
    with pytest.raises(ValueError, match='a config alone has no weights'):
        read_source(folder / 'config.py')
    with pytest.raises(ValueError, match=r'epoch_1\.pth: carries no config'):
        read_source(folder / 'epoch_1.pth')
    with pytest.raises(ValueError, match='with a checkpoint goes a config'):
        read_source(folder / 'epoch_1.pth', folder / 'epoch_1.pth')
    (folder / 'epoch_1.pth').unlink()
    with pytest.raises(ValueError, match='run: no checkpoint in it'):
        read_source(folder)


def test_weights_of_another_model_are_refused(tiny_run: Path, tmp_path: Path):
    torch.save(dict(state_dict=dict(a=torch.ones(1))), tmp_path / 'c.pth')
    with pytest.raises(ValueError, match=r'c\.pth: weights of another model'):
        load_model(tiny_run, tmp_path / 'c.pth')


def test_classes_that_nobody_knows_are_named(tmp_path: Path):
    folder = write_run(tmp_path / 'run')
    meta = dict(dataset_meta=dict(classes=('skirt', 'spacesuit')))
    torch.save(dict(state_dict=dict(a=torch.ones(1)), meta=meta), folder / 'epoch_1.pth')
    with pytest.raises(ValueError, match=r"epoch_1\.pth: knows 'spacesuit'"):
        load_model(folder)
