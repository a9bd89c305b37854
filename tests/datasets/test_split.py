"""Train and val: disjoint, complete, in proportion, rare classes in both."""

import numpy as np
import pytest

from fashion_mmdet.datasets.split import _share_rare_classes, stratified_split

FRACTIONS = (0.5, 0.2, 0.1)


def photos(count: int, seed: int) -> np.ndarray:
    """(count, 12) bool: class c is in a photo with probability 0.8 / (c + 1)."""
    return np.random.default_rng(seed).random((count, 12)) < 0.8 / (np.arange(12) + 1)


def holding(count: int, holders: int, seed: int) -> np.ndarray:
    """`photos` with a 13th class in `holders` of them, chosen at random."""
    labels = np.column_stack([photos(count, seed), np.zeros(count, bool)])
    labels[np.random.default_rng(seed + 1000).choice(count, holders, replace=False), 12] = True
    return labels


@pytest.mark.parametrize('fraction', FRACTIONS)
def test_the_halves_are_disjoint_complete_and_ascending(fraction):
    train, val = stratified_split(photos(150, 0), fraction, seed=0)
    assert sorted([*train, *val]) == list(range(150))
    assert (np.diff(train) > 0).all()
    assert (np.diff(val) > 0).all()


def test_the_same_seed_gives_the_same_halves():
    first, second = (stratified_split(photos(150, 0), 0.2, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_the_global_random_state_changes_nothing_and_is_not_changed():
    np.random.seed(1)
    first = stratified_split(photos(150, 0), 0.2, seed=3)[1]
    drawn = np.random.random()
    np.random.seed(1)
    assert drawn == np.random.random()
    np.random.seed(2)
    np.testing.assert_array_equal(first, stratified_split(photos(150, 0), 0.2, seed=3)[1])


def test_another_seed_gives_other_halves():
    vals = [tuple(stratified_split(photos(150, 0), 0.2, seed)[1]) for seed in range(4)]
    assert len(set(vals)) == 4


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('fraction', FRACTIONS)
def test_every_class_has_its_share_in_val(fraction, seed):
    """Of k images with a class, fraction * k belong in val: within two images, and the total within 2 % of 400.

    An image counts for all of its classes, so not all shares can be whole at once; hence 'within'.
    """
    labels = photos(400, seed)
    _, val = stratified_split(labels, fraction, seed)
    assert abs(len(val) - 400 * fraction) <= 8
    np.testing.assert_allclose(labels[val].sum(axis=0), fraction * labels.sum(axis=0), atol=2)


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('fraction', FRACTIONS)
@pytest.mark.parametrize('holders', [2, 3, 4])
def test_a_rare_class_is_in_both_halves(holders, fraction, seed):
    """In 2, 3 or 4 of 100 images: at fraction 0.1 its fair share of val is 0.2 to 0.4 images, but one must be there."""
    labels = holding(100, holders, seed)
    train, val = stratified_split(labels, fraction, seed)
    assert labels[train, 12].any()
    assert labels[val, 12].any()


@pytest.mark.parametrize('seed', range(4))
@pytest.mark.parametrize('fraction', FRACTIONS)
def test_many_rare_classes_are_all_in_both_halves(fraction, seed):
    """Classes 0 to 9 are in two images each, class c in 2c and 2c + 1; class 10 in all 40."""
    labels = np.zeros((40, 11), bool)
    labels[np.arange(20), np.arange(20) // 2] = True
    labels[:, 10] = True
    train, val = stratified_split(labels, fraction, seed)
    assert labels[train].any(axis=0).all()
    assert labels[val].any(axis=0).all()


def test_a_class_of_one_image_is_in_one_half():
    labels = holding(100, 1, 0)
    train, val = stratified_split(labels, 0.2, seed=0)
    assert labels[train, 12].sum() + labels[val, 12].sum() == 1


def test_sharing_a_rare_class_takes_no_other_class_out_of_its_half():
    """Class 0 is in images 0 and 1, both in train; class 1 in 0, 2 and 3, of which only 0 is in train. Image 1 must go
    to val: without image 0, class 1 would be missing from train.
    """
    labels = np.array([[1, 1], [1, 0], [0, 1], [0, 1]], bool)
    in_val = np.array([False, False, True, True])
    _share_rare_classes(labels, in_val)
    assert in_val.tolist() == [False, True, True, True]


def test_sharing_heeds_no_class_that_only_one_image_holds():
    """Class 0 is in images 0 and 1; image 1 holds class 2 too, the only one to do so: wherever it is, it is in one
    half only. Image 0 holds class 1, whose other image is in val. So image 1 goes.
    """
    labels = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    in_val = np.array([False, False, True])
    _share_rare_classes(labels, in_val)
    assert in_val.tolist() == [False, True, True]


@pytest.mark.parametrize('fraction', FRACTIONS)
def test_images_without_labels_are_split_like_the_others(fraction):
    """60 of 100 images hold nothing: their share of val within four of fraction * 60."""
    labels = photos(100, 0)
    labels[:60] = False
    train, val = stratified_split(labels, fraction, seed=0)
    assert len(train) + len(val) == 100
    assert abs((val < 60).sum() - 60 * fraction) <= 4


def test_images_that_all_hold_nothing_are_split_by_number():
    """0.2 of 20 is 4."""
    train, val = stratified_split(np.zeros((20, 46), bool), 0.2, seed=0)
    assert (len(train), len(val)) == (16, 4)


def test_two_images_make_one_each():
    train, val = stratified_split(np.ones((2, 46), bool), 0.1, seed=0)
    assert (len(train), len(val)) == (1, 1)


@pytest.mark.parametrize('fraction', [0, 1, -0.1, 1.5, float('nan')])
def test_a_fraction_outside_0_to_1_is_refused(fraction):
    with pytest.raises(ValueError, match=f'val_fraction={fraction}: must be a finite number, above 0 and below 1'):
        stratified_split(photos(10, 0), fraction, seed=0)


@pytest.mark.parametrize('count', [0, 1])
def test_fewer_than_two_images_are_refused(count):
    with pytest.raises(ValueError, match=rf'{count} image\(s\) cannot be split'):
        stratified_split(photos(count, 0), 0.2, seed=0)
