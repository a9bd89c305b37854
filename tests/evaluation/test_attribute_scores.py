"""Attribute scores on hand-made hits: F1, AP, the majority guess; and of a whole dump."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from fashion_mmdet.classes import to_multi_hot
from fashion_mmdet.evaluation.attribute_scores import format_attributes, score_attributes
from fashion_mmdet.evaluation.attributes import (
    average_precisions,
    f1_by_attribute,
    find_hits,
    join_hits,
    majority_attributes,
)
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import Prediction, empty_prediction
from tests.builders import block as draw_block
from tests.builders import encode, make_prediction, make_raw, make_truth, write_csv, write_dump
from tools import score_attributes as tool

SIDE = 20


truth = partial(make_truth, 'a.jpg', size=(SIDE, SIDE))


def block(top: int, left: int, height: int = 4, width: int = 4) -> dict:
    return encode(draw_block(left, top, left + width, top + height, (SIDE, SIDE)))


def prediction(*objects: tuple) -> Prediction:
    """By descending score; an attribute that is predicted has probability 0.75."""
    probs = probabilities(*({index: 0.75 for index in one[2:]} for one in objects))
    return replace(make_prediction('a.jpg', *objects, size=(SIDE, SIDE)), attribute_probs=probs)


def probabilities(*rows: dict[int, float]) -> np.ndarray:
    probs = np.zeros((len(rows), 92), np.float16)
    for row, values in zip(probs, rows, strict=True):
        row[list(values)] = list(values.values())
    return probs


def test_hits_pair_category_and_iou_and_leave_unlabelled_objects_out():
    """A dress and a labelled top are hit; the skirt carries no attributes; the shirt is elsewhere; a coat is spurious.

    4x4 at (0, 0) against 4x5: IoU 16 / 20 = 0.8.
    """
    hits = find_hits(
        truth((10, block(0, 0), 3), (8, block(6, 0)), (1, block(12, 0), 5, 6), (0, block(0, 8), 7)),
        prediction(
            (1, block(12, 0), 5),
            (10, block(0, 0, 4, 5), 3, 4),
            (8, block(6, 0), 9),
            (0, block(12, 12), 7),
            (9, block(0, 0), 3),
        ),
    )
    assert sorted(zip(hits.categories.tolist(), map(ids, hits.true), map(ids, hits.predicted), strict=True)) == [
        (1, [5, 6], [5]),
        (10, [3], [3, 4]),
    ]
    assert hits.probs[hits.categories == 10][0, [3, 4, 5]].tolist() == [0.75, 0.75, 0]


def ids(row: np.ndarray) -> list[int]:
    return np.flatnonzero(row).tolist()


def test_images_without_objects_or_detections_have_no_hits():
    empty = Prediction('a.jpg', (SIDE, SIDE), np.zeros(0, np.int64), np.zeros(0, np.float32), [])
    hits = join_hits([find_hits(truth((1, block(0, 0), 3)), empty), find_hits(truth(), empty)])
    assert hits.true.shape == hits.predicted.shape == hits.probs.shape == (0, 92)
    assert join_hits([]).categories.shape == (0,)


def test_a_model_without_an_attribute_head_is_named():
    blind = prediction((1, block(0, 0)))
    blind.attribute_probs = None
    with pytest.raises(ValueError, match=r'a\.jpg: no attribute probabilities'):
        find_hits(truth((1, block(0, 0), 3)), blind)


def test_f1_by_hand():
    """Attribute 3: TP 1, FN 1: 2/3. Attribute 5: TP 1, FP 1: 2/3. Attribute 7: FP 1: 0. Attribute 9: nowhere: 0."""
    f1 = f1_by_attribute(to_multi_hot([(3, 5), (3,)]), to_multi_hot([(3, 5, 7), (5,)]))
    np.testing.assert_allclose(f1[[3, 5, 7, 9]], [2 / 3, 2 / 3, 0, 0])


def test_average_precision_by_hand():
    """Ranked by probability: true, false, true: (1 / 1 + 2 / 3) / 2 = 5/6. An attribute no hit has: none."""
    ap = average_precisions(to_multi_hot([(3,), (), (3,)]), probabilities({3: 0.9}, {3: 0.5}, {3: 0.25}))
    assert ap[3] == pytest.approx(5 / 6)
    assert np.isnan(ap[4])


def test_the_majority_guess_takes_what_more_than_half_have():
    """Of three labelled dresses two have 3 and one has 4; of two tops one has 5: not more than half."""
    guess = majority_attributes(np.array([10, 10, 10, 10, 1, 1]), to_multi_hot([(3,), (3, 4), (6,), (), (5,), (6,)]))
    assert [(int(row), int(column)) for row, column in np.argwhere(guess)] == [(10, 3)]


def write_case(folder: Path) -> tuple[Path, Path]:
    """Two photos in the dump, one of them without a detection, and two to learn the majority from."""
    rows = []
    for image, class_id in (('a', '10_3_20'), ('a', '23'), ('b', '10_4_20'), ('c', '10_3_20'), ('d', '10_3_20')):
        start = 1 if class_id != '23' else 211
        rows.append(f'{image}.jpg,{start} 100,{SIDE},{SIDE},{class_id}')
    # 100 pixels down the columns of a 20 x 20 photo: its five columns from the left.
    found = make_raw('a.jpg', (10, 0.9, (0, 0, 5, 20)), size=(SIDE, SIDE))
    found.attribute_probs = probabilities({4: 0.75, 20: 0.75})
    dump = write_dump(folder / 'a.parquet', [found, empty_prediction('b.jpg', SIDE, SIDE)])
    return dump, write_csv(folder, *rows, name='truth.csv')


def test_a_dump_is_scored_beside_the_majority_guess(tmp_path: Path):
    """One hit, of photo a: predicted 4 and 20, true 3 and 20; the majority of c and d: 3 and 20.

    Objects: 3 once, 4 once, 20 twice. F1 of 3, 4, 20: 0, 0, 1; of the guess: 1, 0, 1. The mean over attributes of at
    least two objects: 1 and 1; of at least one: 1/3 and 2/3.
    """
    dump, csv = write_case(tmp_path)
    scores = score_attributes(dump, csv, Postprocess(), min_objects=2, size=None)
    assert (scores.macro_f1, scores.majority_macro_f1, scores.averaged, scores.hits) == (1, 1, 1, 1)
    scores = score_attributes(dump, csv, Postprocess(), min_objects=1, size=None)
    assert (scores.macro_f1, scores.majority_macro_f1) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert [(row.attribute, row.objects, row.hits) for row in scores.attributes] == [(3, 1, 1), (4, 1, 0), (20, 2, 1)]
    assert 'macro F1 0.3333   majority guess 0.6667' in format_attributes(scores)


def test_the_options_thresholds_decide(tmp_path: Path):
    """From 0.8 on nothing is predicted; policy 'without' likewise."""
    dump, csv = write_case(tmp_path)
    for options in (Postprocess(attribute_thr=0.8), Postprocess(attribute_policy='without')):
        assert score_attributes(dump, csv, options, min_objects=1, size=None).macro_f1 == 0


def test_the_tool_prints_the_table_and_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    dump, csv = write_case(tmp_path)
    assert tool.main([str(dump), str(csv), '--min-objects', '1', '--size', '0']) == 0
    assert 'majority guess' in capsys.readouterr().out
    assert tool.main([str(dump), str(csv), '--min-objects', '1', '--size', '0', '--json']) == 0
    assert json.loads(capsys.readouterr().out)['images'] == 2  # nothing else, such as a progress bar, on stdout
    with pytest.raises(SystemExit):
        tool.main([str(dump), str(csv), '--min-objects', '99'])
    assert 'lower --min-objects' in capsys.readouterr().err
