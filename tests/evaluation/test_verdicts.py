"""Hits, misses and spurious objects, one by one; and the same number as the metric counts."""

from functools import partial

import numpy as np
import pytest

from fashion_mmdet.evaluation.matching import count_image
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.evaluation.verdicts import HIT, MISSED, SPURIOUS, judge, keep_categories
from tests.builders import block, encode, make_prediction, make_truth

SIDE = 8


true, predicted = (partial(make, 'a.jpg', size=(SIDE, SIDE)) for make in (make_truth, make_prediction))


def bar(start: int, stop: int) -> dict:
    """A mask of whole columns, so that IoUs are ratios of small numbers."""
    return encode(block(start, 0, stop, SIDE, (SIDE, SIDE)))


def test_a_hit_has_its_iou_and_the_rest_is_missed_or_spurious():
    """Columns 0-3 against 0-4: 3 of 4 columns, 0.75. The second prediction comes too late, class 7 overlaps nothing."""
    found = judge(true((3, bar(0, 4)), (5, bar(0, 4))), predicted((3, bar(0, 3)), (3, bar(0, 4)), (7, bar(0, 4))))
    assert found.true == (HIT, MISSED)
    assert found.predicted == (HIT, SPURIOUS, SPURIOUS)
    np.testing.assert_array_equal(found.ious, [0.75, 0, 0])


def test_an_iou_at_the_threshold_is_no_hit():
    """Columns 0-2 against 0-4: exactly 0.5."""
    assert judge(true((3, bar(0, 4))), predicted((3, bar(0, 2)))).true == (MISSED,)
    assert judge(true((3, bar(0, 4))), predicted((3, bar(0, 2))), iou=0.49).true == (HIT,)


@pytest.mark.parametrize(
    ('truth', 'prediction', 'expected'),
    [
        (true(), predicted(), ((), ())),
        (true((1, bar(0, 1))), predicted(), ((MISSED,), ())),
        (true(), predicted((1, bar(0, 1))), ((), (SPURIOUS,))),
    ],
    ids=['nothing', 'nothing predicted', 'nothing true'],
)
def test_empty_sides(truth: Truth, prediction: Prediction, expected: tuple):
    found = judge(truth, prediction)
    assert (found.true, found.predicted) == expected


def test_the_verdicts_are_as_many_as_the_metric_counts():
    rng = np.random.default_rng(0)

    def draw() -> list[tuple[int, dict]]:
        starts = rng.integers(0, SIDE - 1, rng.integers(0, 9))
        return [(int(rng.integers(0, 3)), bar(start, int(rng.integers(start + 1, SIDE + 1)))) for start in starts]

    hits = 0
    for _ in range(200):
        truth, prediction = true(*draw()), predicted(*draw())
        found, counts = judge(truth, prediction), count_image(truth, prediction).counts[:, 0].sum(axis=0)
        assert [found.predicted.count(HIT), found.predicted.count(SPURIOUS), found.true.count(MISSED)] == list(counts)
        assert found.true.count(HIT) == found.predicted.count(HIT)
        hits += counts[0]
    assert hits > 50


def test_only_the_objects_of_some_categories_are_kept():
    kept = keep_categories(predicted((3, bar(0, 1)), (5, bar(0, 2)), (3, bar(0, 3))), frozenset({3}))
    assert kept.masks == [bar(0, 1), bar(0, 3)]
    np.testing.assert_allclose(kept.scores, [0.9, 0.5])
    assert keep_categories(true((5, bar(0, 2))), frozenset({3})).masks == []
