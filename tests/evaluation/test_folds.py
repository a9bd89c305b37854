"""Folds of images: equal in size, and the same whatever the order."""

import numpy as np
import pytest

from fashion_mmdet.evaluation.folds import assign_folds

IDS = [f'{number}.jpg' for number in range(11)]


def test_folds_differ_by_one_image_at_most():
    assert sorted(np.bincount(assign_folds(IDS, 3, 0)).tolist()) == [3, 4, 4]


def test_the_order_of_the_images_does_not_matter():
    order = np.random.default_rng(0).permutation(len(IDS))
    np.testing.assert_array_equal(assign_folds(np.array(IDS)[order], 3, 5), assign_folds(IDS, 3, 5)[order])


def test_all_rows_of_an_image_are_in_its_fold():
    folds = assign_folds(IDS, 2, 1)
    np.testing.assert_array_equal(assign_folds(np.repeat(IDS, 3), 2, 1), np.repeat(folds, 3))


def test_another_seed_deals_anew():
    assert (assign_folds(IDS, 2, 0) != assign_folds(IDS, 2, 1)).any()


@pytest.mark.parametrize(
    ('ids', 'folds', 'message'),
    [(IDS, 1, 'folds=1'), (['a', 'a'], 2, r'1 image\(s\) cannot'), ([], 2, r'0 image\(s\) cannot')],
)
def test_folds_that_cannot_be_are_refused(ids, folds, message):
    with pytest.raises(ValueError, match=message):
        assign_folds(ids, folds, 0)
