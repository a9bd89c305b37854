"""Ensembles of dumps: streamed image by image, only of the same images, readable as any dump."""

from pathlib import Path

import numpy as np
import pytest

from fashion_mmdet.evaluation.dump import IMAGES_A_GROUP, read_dump, read_info
from fashion_mmdet.evaluation.merge import Merge, merge
from fashion_mmdet.evaluation.predictions import RawPrediction, empty_prediction
from tests.builders import assert_same_raw, random_raw, write_dump
from tools import ensemble as tool


def run(*arguments: object) -> int:
    return tool.main([str(argument) for argument in arguments])


def refuse(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    """Run, expecting one line and status 2."""
    with pytest.raises(SystemExit) as exit_:
        run(*arguments)
    assert exit_.value.code == 2
    err = capsys.readouterr().err
    assert err.count('\n') == 1
    return err


def make_pair(count: int, shift: int = 0) -> list[RawPrediction]:
    """Make raw predictions of 0 to 3 detections of `count` images; `shift` gives another model's of the same."""
    raws = [random_raw(f'{index}.jpg', (index + shift) % 4, index) for index in range(count)]
    for raw in raws:
        raw.boxes[:, 2:] += raw.boxes[:, :2] + 1
    return raws


def test_each_image_is_merged_by_itself_over_all_groups(tmp_path: Path):
    """More images than a row group holds, some empty in one model or in both, with options."""
    first, second = make_pair(IMAGES_A_GROUP + 5), make_pair(IMAGES_A_GROUP + 5, shift=2)
    first[3] = second[3] = empty_prediction('3.jpg', 43, 33)
    write_dump(tmp_path / 'a.parquet', first)
    write_dump(tmp_path / 'b.parquet', second)
    assert (
        run(
            tmp_path / 'a.parquet',
            tmp_path / 'b.parquet',
            '--out',
            tmp_path / 'e.parquet',
            '--options',
            'method=nms',
            'iou_thr=0.3',
            'weights=[2,1]',
        )
        == 0
    )
    options = Merge(method='nms', iou_thr=0.3, weights=[2, 1])
    merged = list(read_dump(tmp_path / 'e.parquet'))
    assert len(merged) == len(first)
    assert sum(len(raw.scores) for raw in merged) > 100
    for got, *pair in zip(merged, first, second, strict=True):
        assert_same_raw(got, merge(pair, options))
    assert sorted(path.name for path in tmp_path.iterdir()) == ['a.parquet', 'b.parquet', 'e.parquet']


def test_the_dump_says_what_it_was_made_of(tmp_path: Path, capsys: pytest.CaptureFixture):
    """Two checkpoints of one config, one of another: each config once, under the dumps that it made."""
    for name, config, checkpoint in (
        ('a', 'lr = 1', 'epoch_1.pth'),
        ('b', 'lr = 2', 'other.pth'),
        ('c', 'lr = 1', 'epoch_2.pth'),
    ):
        write_dump(tmp_path / f'{name}.parquet', [random_raw('x.jpg', 0, 0)], config=config, checkpoint=checkpoint)
    assert run(*(tmp_path / f'{name}.parquet' for name in 'abc'), '--out', tmp_path / 'e.parquet') == 0
    info = read_info(tmp_path / 'e.parquet')
    assert info.checkpoint == 'epoch_1.pth + other.pth + epoch_2.pth'
    assert info.images == [('x.jpg', 40, 30)]
    head, *lines = info.config.splitlines()
    assert head.startswith("# merged: method='wbf', iou_thr=0.55")
    assert lines == [
        f'# {tmp_path}/a.parquet: epoch_1.pth',
        f'# {tmp_path}/c.parquet: epoch_2.pth',
        'lr = 1',
        f'# {tmp_path}/b.parquet: other.pth',
        'lr = 2',
    ]
    assert capsys.readouterr().out == f'{tmp_path}/e.parquet: 1 images, 0 detections of 3 dumps\n'


@pytest.mark.parametrize(
    ('images', 'complaint'),
    [
        ([('0.jpg', 40, 30)], 'b.parquet: lacks 1 of the 2 images of .*a.parquet, such as 1.jpg'),
        ([('0.jpg', 40, 30), ('1.jpg', 41, 31), ('2.jpg', 9, 9)], 'a.parquet: lacks 1 of the 3 images of .*b.parquet'),
        ([('0.jpg', 40, 30), ('1.jpg', 41, 99)], 'b.parquet: 1.jpg has 41x99 pixels, 41x31 in .*a.parquet'),
        ([('1.jpg', 41, 31), ('0.jpg', 40, 30)], 'b.parquet: the images of .*a.parquet in another order'),
    ],
    ids=['fewer', 'more', 'another_size', 'another_order'],
)
def test_dumps_of_different_images_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture, images: list, complaint: str
):
    write_dump(tmp_path / 'a.parquet', make_pair(2))
    write_dump(tmp_path / 'b.parquet', [empty_prediction(*image) for image in images])
    err = refuse(capsys, tmp_path / 'a.parquet', tmp_path / 'b.parquet', '--out', tmp_path / 'e.parquet')
    with pytest.raises(AssertionError, match=complaint):
        raise AssertionError(err)
    assert not (tmp_path / 'e.parquet').exists()


def test_a_wrong_command_is_one_line_and_leaves_the_dumps(tmp_path: Path, capsys: pytest.CaptureFixture):
    paths = [tmp_path / 'a.parquet', tmp_path / 'b.parquet']
    for path in paths:
        write_dump(path, make_pair(2))
    before = [path.read_bytes() for path in paths]
    assert 'is one of the files to read' in refuse(capsys, *paths, '--out', paths[1])
    assert '3 weights for 2 models' in refuse(capsys, *paths, '--out', tmp_path / 'e', '--options', 'weights=[1,1,1]')
    assert 'merge iou: no such option' in refuse(capsys, *paths, '--out', tmp_path / 'e', '--options', 'iou=0.5')
    assert 'c.parquet: no such dump' in refuse(capsys, paths[0], tmp_path / 'c.parquet', '--out', tmp_path / 'e')
    with pytest.raises(SystemExit):
        run(paths[0], '--out', tmp_path / 'e')
    assert 'at least two dumps' in capsys.readouterr().err
    assert [path.read_bytes() for path in paths] == before
    assert sorted(tmp_path.iterdir()) == paths


def test_a_copy_adds_nothing(tmp_path: Path):
    """Of a model and its copy by fusion: the model itself, where no two of its boxes overlap."""
    raw = random_raw('a.jpg', 3, 0)
    raw.boxes = np.array([[0, 0, 5, 5], [10, 0, 15, 9], [0, 20, 9, 29]], np.float32)
    raw.scores = np.sort(raw.scores)[::-1].copy()
    for name in 'ab':
        write_dump(tmp_path / f'{name}.parquet', [raw])
    assert run(tmp_path / 'a.parquet', tmp_path / 'b.parquet', '--out', tmp_path / 'e.parquet') == 0
    assert_same_raw(next(read_dump(tmp_path / 'e.parquet')), raw)
