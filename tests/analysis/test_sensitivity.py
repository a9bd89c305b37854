"""Sensitivity: counts by hand, average precision against pycocotools, the choice of the targets."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fashion_mmdet.analysis.sensitivity import ClassTally, count_errors, pick_targets
from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.dump import DumpWriter
from fashion_mmdet.evaluation.error_types import match_objects
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction, Truth
from fashion_mmdet.evaluation.scoring import average_precision
from fashion_mmdet.masks import rle
from tools import sensitivity as tool

SIZE = (10, 10)


def column(start: int, stop: int) -> dict:
    """A mask of whole columns of a 10x10 image."""
    return rle.runs_to_coco((np.array([10 * start]), np.array([10 * stop])), *SIZE)


def make_truth(*objects: tuple[int, dict]) -> Truth:
    return Truth(
        'a',
        SIZE,
        np.array([category for category, _ in objects], int),
        [mask for _, mask in objects],
        [()] * len(objects),
    )


def make_prediction(*objects: tuple[int, dict]) -> Prediction:
    """Objects by descending score 0.9, 0.8, ..."""
    return Prediction(
        'a',
        SIZE,
        np.array([category for category, _ in objects], int),
        0.9 - 0.1 * np.arange(len(objects)),
        [mask for _, mask in objects],
    )


def test_each_kind_of_error_is_counted_once():
    """True: pants (columns 0-2), skirt (3-5), shoe (8-9). Predicted: pants on the pants, a hit; dress on the skirt: the
    skirt is called dress, the dress is mistaken; pants on the pants again: mistaken; bag on columns 6-7: spurious. The
    shoe is missed.
    """
    tallies = [ClassTally(category) for category in range(46)]
    count_errors(
        make_truth((6, column(0, 3)), (8, column(3, 6)), (23, column(8, 10))),
        make_prediction((6, column(0, 3)), (10, column(3, 6)), (6, column(0, 3)), (24, column(6, 8))),
        tallies,
    )
    pants, skirt, dress, shoe, bag = (tallies[category] for category in (6, 8, 10, 23, 24))
    assert (pants.objects, pants.images, pants.true_positives, pants.mistaken, pants.spurious) == (1, 1, 1, 1, 0)
    assert (skirt.true_positives, skirt.missed, dict(skirt.called)) == (0, 0, {10: 1})
    assert (dress.mistaken, dress.spurious) == (1, 0)
    assert (shoe.missed, dict(shoe.called)) == (1, {})
    assert (bag.mistaken, bag.spurious) == (0, 1)
    assert (pants.sensitivity, pants.precision) == (1, 0.5)
    assert (skirt.sensitivity, bag.sensitivity, bag.precision) == (0, None, 0)


@pytest.mark.parametrize(
    ('truth', 'prediction'),
    [
        (make_truth(), make_prediction()),
        (make_truth((0, column(0, 2))), make_prediction()),
        (make_truth(), make_prediction((0, column(0, 2)))),
    ],
    ids=['nothing', 'nothing_predicted', 'nothing_true'],
)
def test_empty_images_are_counted(truth: Truth, prediction: Prediction):
    tallies = [ClassTally(category) for category in range(46)]
    count_errors(truth, prediction, tallies)
    assert (tallies[0].missed, tallies[0].spurious) == (len(truth.masks), len(prediction.masks))


def test_average_precision_by_hand():
    """Two objects; predictions hit, miss, hit: precision 1 up to recall 0.5, 2/3 up to 1.

    Recalls 0.00 to 0.50 are 51 points of precision 1, 0.51 to 1.00 are 50 of 2/3.
    """
    assert average_precision([0.9, 0.8, 0.7], [True, False, True], 2) == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert average_precision([], [], 3) == 0
    assert average_precision([0.5], [False], 0) is None


def test_average_precision_is_that_of_pycocotools():
    """30 images of one to three column masks in three classes, predictions jittered and renamed at random."""
    rng = np.random.default_rng(0)
    truths, predictions = zip(*(draw_image(rng) for _ in range(30)), strict=True)
    coco = COCO()
    coco.dataset = dict(
        info={},
        images=[dict(id=index, height=10, width=10) for index in range(30)],
        categories=[dict(id=category, name=str(category)) for category in range(3)],
        annotations=[
            dict(
                id=index * 10 + place + 1,
                image_id=index,
                category_id=int(category),
                segmentation=mask,
                area=50,
                bbox=[0, 0, 1, 1],
                iscrowd=0,
            )
            for index, truth in enumerate(truths)
            for place, (category, mask) in enumerate(zip(truth.categories, truth.masks, strict=True))
        ],
    )
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        results = coco.loadRes(
            [
                dict(image_id=index, category_id=int(category), segmentation=mask, score=float(score))
                for index, prediction in enumerate(predictions)
                for category, mask, score in zip(
                    prediction.categories, prediction.masks, prediction.scores, strict=True
                )
            ]
        )
        evaluation = COCOeval(coco, results, 'segm')
        evaluation.params.iouThrs = np.array([0.5 + 1e-9])  # COCO hits at IoU >= t, the competition above t
        evaluation.evaluate()
        evaluation.accumulate()
    for category in range(3):
        scored = [
            (score, partner >= 0)
            for truth, prediction in zip(truths, predictions, strict=True)
            for other, score, partner in zip(
                prediction.categories, prediction.scores, match_objects(truth, prediction).partners, strict=True
            )
            if other == category
        ]
        objects = sum(int((truth.categories == category).sum()) for truth in truths)
        wanted = evaluation.eval['precision'][0, :, category, 0, -1].mean()
        assert average_precision(*zip(*scored, strict=True), objects) == pytest.approx(wanted, abs=1e-12)


def draw_image(rng: np.random.Generator) -> tuple[Truth, Prediction]:
    starts = rng.choice([0, 3, 6], rng.integers(1, 4), replace=False)
    true = [(int(rng.integers(3)), column(start, start + 3)) for start in starts]
    guessed = [
        (category if rng.random() < 0.7 else int(rng.integers(3)), column(start + int(rng.integers(2)), start + 3))
        for (category, _), start in zip(true, starts, strict=True)
    ]
    prediction = make_prediction(*guessed)
    prediction.scores = np.sort(rng.random(len(guessed)))[::-1]
    return make_truth(*true), prediction


def test_targets_are_the_least_sensitive_of_the_more_frequent_half():
    """Four classes occur; the frequent half is 0 (10 objects, sensitivity 0.9) and 1 (8, 0.25). 2 is worse but rare."""
    rows = [
        ClassTally(0, objects=10, true_positives=9),
        ClassTally(1, objects=8, true_positives=2),
        ClassTally(2, objects=3, true_positives=0),
        ClassTally(3, objects=2, true_positives=2),
        ClassTally(4, objects=0),
    ]
    assert pick_targets(rows, 1) == [1]
    assert pick_targets(rows, 5) == [1, 0]


def test_the_tool_prints_and_saves(tmp_path: Path, capsys: pytest.CaptureFixture):
    """One photo, a shirt found, pants missed twice: of two classes the more frequent half is the pants."""
    (tmp_path / 'train.csv').write_text(
        'ImageId,EncodedPixels,Height,Width,ClassId\na.jpg,1 50,10,10,0\na.jpg,51 50,10,10,6\na.jpg,1 5,10,10,6\n'
    )
    writer = DumpWriter(tmp_path / 'val.parquet')
    writer.write(
        RawPrediction(
            'a.jpg',
            10,
            10,
            np.array([0]),
            np.array([0.9], np.float32),
            np.array([[0, 0, 5, 10]], np.float32),
            np.ones((1, 28, 28), np.float16),
        )
    )
    writer.close()
    out = tmp_path / 's.json'
    assert tool.main([str(tmp_path / 'val.parquet'), '--truth', str(tmp_path / 'train.csv'), '--out', str(out)]) == 0
    assert 'least sensitive: 6 pants' in capsys.readouterr().out
    saved = json.loads(out.read_text())
    assert saved['targets'] == [6]
    assert [(row['name'], row['sensitivity']) for row in saved['classes']] == [(CATEGORIES[0], 1.0), ('pants', 0.0)]


@pytest.mark.parametrize(
    ('options', 'complaint'),
    [
        (['--top', '-2'], '--top: -2: must be a whole number, at least 1'),
        ([], 'train.csv: no such file; name the CSV by --truth or its folder by FASHION_DATA'),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    options: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv('FASHION_DATA', str(tmp_path))
    with pytest.raises(SystemExit) as exit_:
        tool.main([str(tmp_path / 'val.parquet'), *options])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert (error.startswith('sensitivity: '), error.count('\n')) == (True, 1)
    assert complaint in error
