"""Hits, misses and spurious objects, one by one; and the same number as the metric counts."""

import numpy as np
import pytest

from fashion_mmdet.evaluation.error_types import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    TRUE_POSITIVE,
    keep_categories,
    match_objects,
)
from fashion_mmdet.evaluation.matching import count_image
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.masks import rle

SIDE = 8


def bar(start: int, stop: int) -> dict:
    """A mask of whole columns, so that IoUs are ratios of small numbers."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[:, start:stop] = True
    return rle.runs_to_coco(rle.mask_to_runs(mask), SIDE, SIDE)


def true(*objects: tuple[int, dict]) -> Truth:
    return Truth(
        'a.jpg',
        (SIDE, SIDE),
        np.array([one[0] for one in objects], np.int64),
        [one[1] for one in objects],
        [()] * len(objects),
    )


def predicted(*objects: tuple[int, dict]) -> Prediction:
    return Prediction(
        'a.jpg',
        (SIDE, SIDE),
        np.array([one[0] for one in objects], np.int64),
        np.linspace(0.9, 0.5, len(objects), dtype=np.float32),
        [one[1] for one in objects],
    )


def test_a_hit_has_its_iou_and_the_rest_is_missed_or_spurious():
    """Columns 0-3 against 0-4: 3 of 4 columns, 0.75. The second prediction comes too late, class 7 overlaps nothing."""
    found = match_objects(
        true((3, bar(0, 4)), (5, bar(0, 4))), predicted((3, bar(0, 3)), (3, bar(0, 4)), (7, bar(0, 4)))
    )
    assert found.true == (TRUE_POSITIVE, FALSE_NEGATIVE)
    assert found.predicted == (TRUE_POSITIVE, FALSE_POSITIVE, FALSE_POSITIVE)
    np.testing.assert_array_equal(found.ious, [0.75, 0, 0])


def test_an_iou_at_the_threshold_is_no_hit():
    """Columns 0-2 against 0-4: exactly 0.5."""
    assert match_objects(true((3, bar(0, 4))), predicted((3, bar(0, 2)))).true == (FALSE_NEGATIVE,)
    assert match_objects(true((3, bar(0, 4))), predicted((3, bar(0, 2))), iou=0.49).true == (TRUE_POSITIVE,)


@pytest.mark.parametrize(
    ('truth', 'prediction', 'expected'),
    [
        (true(), predicted(), ((), ())),
        (true((1, bar(0, 1))), predicted(), ((FALSE_NEGATIVE,), ())),
        (true(), predicted((1, bar(0, 1))), ((), (FALSE_POSITIVE,))),
    ],
    ids=['nothing', 'nothing predicted', 'nothing true'],
)
def test_empty_sides(truth: Truth, prediction: Prediction, expected: tuple):
    found = match_objects(truth, prediction)
    assert (found.true, found.predicted) == expected


def test_the_error_types_are_as_many_as_the_metric_counts():
    rng = np.random.default_rng(0)

    def draw() -> list[tuple[int, dict]]:
        starts = rng.integers(0, SIDE - 1, rng.integers(0, 9))
        return [(int(rng.integers(0, 3)), bar(start, int(rng.integers(start + 1, SIDE + 1)))) for start in starts]

    hits = 0
    for _ in range(200):
        truth, prediction = true(*draw()), predicted(*draw())
        found, counts = match_objects(truth, prediction), count_image(truth, prediction).counts[:, 0].sum(axis=0)
        assert [
            found.predicted.count(TRUE_POSITIVE),
            found.predicted.count(FALSE_POSITIVE),
            found.true.count(FALSE_NEGATIVE),
        ] == list(counts)
        assert found.true.count(TRUE_POSITIVE) == found.predicted.count(TRUE_POSITIVE)
        hits += counts[0]
    assert hits > 50


def test_only_the_objects_of_some_categories_are_kept():
    kept = keep_categories(predicted((3, bar(0, 1)), (5, bar(0, 2)), (3, bar(0, 3))), frozenset({3}))
    assert kept.masks == [bar(0, 1), bar(0, 3)]
    np.testing.assert_allclose(kept.scores, [0.9, 0.5])
    assert keep_categories(true((5, bar(0, 2))), frozenset({3})).masks == []
