"""Whether data sets, heads and checkpoint mean the same classes, asked before training and testing."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict
from torch import nn

import fashion_mmdet.register  # noqa: F401
from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.experiments.agreement import check_classes, head_classes
from tests.conftest import run_here
from tools import test as test_tool
from tools import train

THREE = [6, 10, 23]  # pants, dress, shoe


def data(categories: list[int] | None) -> dict:
    """Settings of a data set whose folder is not there: its classes are asked for, nothing is read."""
    return dict(type='mmdet.IMaterialistDataset', data_root='nowhere', ann_file='train.csv', categories=categories)


def config(train_set: dict, val_set: dict) -> Config:
    """A config with two loaders."""
    return Config(dict(train_dataloader=dict(dataset=train_set), val_dataloader=dict(dataset=val_set)))


class Part(nn.Module):
    """A part of a model with so many classes, and parts in it."""

    def __init__(self, num_classes: int | None = None, **parts: nn.Module) -> None:
        super().__init__()
        if num_classes is not None:
            self.num_classes = num_classes
        for name, part in parts.items():
            self.add_module(name, part)


def cascade(box: int, mask: int) -> Part:
    """A model with two box heads, a mask head, and heads that count other things."""
    return Part(
        rpn_head=Part(1),
        backbone=Part(1000),
        roi_head=Part(bbox_head=nn.ModuleList([Part(46), Part(box)]), mask_head=Part(mask), semantic_head=Part(183)),
    )


def test_heads_are_found_in_cascades_and_behind_a_wrapper_and_name_their_key():
    wanted = [
        ('model.roi_head.bbox_head.0.num_classes', 46),
        ('model.roi_head.bbox_head.1.num_classes', 3),
        ('model.roi_head.mask_head.num_classes', 46),
    ]
    assert list(head_classes(cascade(3, 46))) == wanted
    assert list(head_classes(Part(module=cascade(3, 46)))) == wanted


def test_equal_classes_pass():
    check_classes(config(data(None), data(None)), cascade(46, 46))


@pytest.mark.parametrize(
    'wrap',
    [
        lambda one: one,
        lambda one: dict(type='RepeatDataset', times=2, dataset=one),
        lambda one: dict(type='ConcatDataset', datasets=[data(None), one]),
    ],
)
def test_a_data_set_with_other_classes_is_named_in_wrappers_too(wrap):
    with pytest.raises(ValueError, match=r'train_dataloader.dataset\S* has .*but \S+dataset\S* .* classes') as error:
        check_classes(config(wrap(data(THREE)), data(None)), cascade(46, 46))
    assert '3 classes (pants; dress; shoe)' in str(error.value)
    assert '46 classes (shirt, blouse; top, t-shirt, sweatshirt; sweater; ...)' in str(error.value)


def test_the_order_of_classes_counts():
    with pytest.raises(ValueError, match=r'3 classes \(pants; dress; shoe\), but .* 3 classes \(shoe; dress; pants\)'):
        check_classes(config(data(THREE), data(THREE[::-1])), Part(head=Part(3)))


@pytest.mark.parametrize(
    ('box', 'mask', 'key'), [(45, 46, 'bbox_head.1'), (47, 46, 'bbox_head.1'), (46, 80, 'mask_head')]
)
def test_a_head_of_another_size_is_named_with_what_to_set(box: int, mask: int, key: str):
    with pytest.raises(
        ValueError,
        match=rf'roi_head.{key}.num_classes=\d+, but train_dataloader.dataset has 46 '
        rf'classes .*; set model.roi_head.{key}.num_classes=46',
    ):
        check_classes(config(data(None), data(None)), cascade(box, mask))


@pytest.mark.parametrize(
    ('meta', 'fits'),
    [
        (dict(dataset_meta=dict(classes=CATEGORIES)), True),
        (dict(dataset_meta=dict(classes=list(CATEGORIES))), True),
        ({}, True),
        (None, True),
        (dict(dataset_meta=None), True),
        (dict(dataset_meta=dict(classes=('pants', 'dress', 'shoe'))), False),
    ],
)
def test_the_checkpoint_s_classes_are_those_of_the_data(meta: dict | None, fits: bool, tmp_path: Path):
    path = str(tmp_path / 'c.pth')
    torch.save(dict(state_dict={}, meta=meta), path)
    cfg = config(data(None), data(None))
    if fits:
        check_classes(cfg, cascade(46, 46), path)
    else:
        with pytest.raises(ValueError, match=r'46 classes .*, but .*c\.pth 3 classes \(pants; dress; shoe\)'):
            check_classes(cfg, cascade(46, 46), path)


def test_a_config_without_data_sets_has_nothing_to_compare():
    check_classes(Config(dict(model=ConfigDict())), cascade(46, 46))


def test_training_on_categories_that_val_does_not_have_is_one_line(tiny_config: Path, tmp_path: Path):
    done = run_here(
        train.main,
        tiny_config,
        '--work-dir',
        tmp_path,
        '--cfg-options',
        'train_dataloader.dataset.categories=[6,10,23]',
    )
    assert done.returncode == 2
    line = done.stderr.splitlines()[-1]
    assert line.startswith('train: train_dataloader.dataset has 3 classes (pants; dress; shoe), but val_dataloader')
    assert not list(tmp_path.glob('*.pth'))


def test_testing_with_other_categories_than_the_training_s_is_one_line(
    tiny_config: Path, tiny_run: Path, tmp_path: Path
):
    """The same number of classes: only the checkpoint's own note can tell."""
    order = f'categories={[45, *range(45)]}'.replace(' ', '')
    done = run_here(
        test_tool.main,
        tiny_config,
        tiny_run / 'epoch_2.pth',
        '--work-dir',
        tmp_path,
        '--cfg-options',
        *(f'{name}_dataloader.dataset.{order}' for name in ('train', 'val', 'test')),
    )
    assert done.returncode == 2
    assert 'train_dataloader.dataset has 46 classes (tassel; shirt, blouse;' in done.stderr
    assert 'epoch_2.pth 46 classes (shirt, blouse;' in done.stderr
