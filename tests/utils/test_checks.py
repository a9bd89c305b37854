"""Range checks: what is a number of an interval, and what each error says."""

import math
from pathlib import Path

import numpy as np
import pytest

from fashion_mmdet.config import parse_options
from fashion_mmdet.datasets.loading import LoadScaled
from fashion_mmdet.evaluation.merge import Merge
from fashion_mmdet.evaluation.metrics import FashionIoUSweepMetric
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.utils import checks
from tests.conftest import run_here
from tools import score_dump


@pytest.mark.parametrize(
    ('interval', 'inside', 'outside'),
    [
        (checks.SHARE, [0, 1, 0.5, np.float32(0.5)], [-0.1, 1.1, math.nan, math.inf, True, None, '0.5', (0, 5), [0.5]]),
        (checks.OPEN_SHARE, [0.5], [0, 1]),
        (checks.POSITIVE, [1e-9, 1e9], [0, math.inf]),
        (checks.COUNT, [1, np.int64(3)], [0, 1.0, 1.5, True]),
        (checks.NATURAL, [0], [-1]),
        (checks.FINITE, [-1e300], ['nan']),
    ],
)
def test_an_interval_holds_finite_numbers_within_its_bounds(interval, inside, outside):
    assert [one in interval for one in inside] == [True] * len(inside)
    assert [one in interval for one in outside] == [False] * len(outside)


def test_an_interval_says_which_numbers_it_holds():
    assert checks.SHARE.describe() == 'finite number, at least 0 and at most 1'
    assert checks.OPEN_SHARE.describe(plural=True) == 'finite numbers, above 0 and below 1'
    assert (checks.COUNT.describe(), checks.FINITE.describe()) == ('whole number, at least 1', 'finite number')


OPTIONS = [
    ('mask_thr=None', 'mask_thr=None: must be a finite number, at least 0 and at most 1'),
    ('mask_thr=0,5', r'\(0, 5\)'),
    ('score_thr=nan', "score_thr='nan': must be a finite number"),
    ('score_thr=True', 'score_thr=True'),
    ("score_thr={'default': 'x'}", "score_thr='x'"),
    ('score_thr={3: 1e999}', 'score_thr=inf'),
    ('score_thr=[]', r'=\[\]'),
    ('nms_iou=x', "nms_iou='x'.* or None"),
    ('cross_class_iou=2', 'cross_class_iou=2'),
    ('overlap=[]', r'overlap=\[\]'),
    ('drop_categories=5', 'drop_categories=5: must be a list of whole numbers'),
    ('drop_categories=23,x', "'23,x'"),
    ('drop_categories=[3,3]', 'an id comes twice'),
    ('max_per_image=1.5', 'max_per_image=1.5: must be a whole number'),
    ('min_area=nan', "min_area='nan'"),
    ('attribute_thr=None', 'attribute_thr=None'),
    ('attribute_policy=5', '5 is none'),
    ('rescorer=5', 'rescorer=5: must be the path'),
]


@pytest.mark.parametrize(('option', 'complaint'), OPTIONS)
def test_a_postprocess_option_of_the_wrong_kind_or_range_is_named(option: str, complaint: str):
    with pytest.raises(ValueError, match=complaint):
        Postprocess.from_config(parse_options([option]))


def test_a_postprocess_that_is_no_dict_is_refused():
    with pytest.raises(ValueError, match='postprocess=5: must be a dict'):
        Postprocess.from_config(5)


@pytest.mark.parametrize('option', [option for option, _ in OPTIONS])
def test_the_tool_says_so_in_one_line_before_it_opens_a_file(option: str, tmp_path: Path):
    done = run_here(score_dump.main, tmp_path / 'none.parquet', tmp_path / 'none.csv', '--options', option)
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1
    assert f'score_dump: {option.partition("=")[0]}' in done.stderr


@pytest.mark.parametrize(
    'options',
    [
        dict(iou_thr=math.nan),
        dict(duplicate_iou='x'),
        dict(weights=5),
        dict(weights=['x']),
        dict(weights=[math.inf]),
        dict(min_votes=1.5),
        dict(max_per_image=math.inf),
        dict(method=['wbf']),
    ],
)
def test_a_merge_option_of_the_wrong_kind_is_named(options: dict):
    with pytest.raises(ValueError, match=f'merge {next(iter(options))}='):
        Merge.from_config(options)


@pytest.mark.parametrize(
    'options',
    [
        dict(scale=96),
        dict(scale='96'),
        dict(scale=[(9, 9), 5]),
        dict(scale=(True, 3)),
        dict(ratio_range=1),
        dict(ratio_range=(1, math.nan)),
        dict(interpolation=None),
        dict(mask_interpolation=['area']),
        dict(keep_ratio=1),
        dict(with_annotations='no'),
    ],
)
def test_a_loading_option_of_the_wrong_kind_is_named(options: dict):
    with pytest.raises(ValueError, match=f'LoadScaled {next(iter(options))}='):
        LoadScaled(**{'scale': (9, 9), **options})


@pytest.mark.parametrize(
    'options', [dict(size=512), dict(size=(512,)), dict(size=(0, 5)), dict(average=None), dict(match=[])]
)
def test_a_metric_option_of_the_wrong_kind_is_named(options: dict):
    with pytest.raises(ValueError, match=f'{next(iter(options))}='):
        FashionIoUSweepMetric(**options)
