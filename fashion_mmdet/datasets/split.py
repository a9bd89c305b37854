"""Split images into train and val, stratified by class."""

import numpy as np
from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit

from fashion_mmdet.utils.checks import OPEN_SHARE, check_number


def stratified_split(labels: np.ndarray, val_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split images so that both parts have the same share of every class.

    Iterative stratification (Sechidis et al. 2011) may leave a class of few images out of one part; then an image of
    it is moved over, so that every class in two images or more is in both, as far as the images that rare classes
    share allow.

    Args:
        labels: (N, C) bool, the classes that each image holds.
        val_fraction: share of val, in (0, 1).
        seed: seed of the shuffle.

    Returns:
        Indices of train and of val, ascending.
    """
    check_number('val_fraction', val_fraction, OPEN_SHARE)
    if len(labels) < 2:
        raise ValueError(f'{len(labels)} image(s) cannot be split into train and val')
    labels = np.asarray(labels, dtype=bool)
    present = labels[:, labels.any(axis=0)] if labels.any() else np.ones((len(labels), 1), bool)
    # A column of ones lets images without any class through and keeps the halves' sizes right.
    table = np.column_stack([present, np.ones(len(labels), bool)]).astype(int)
    splitter = MultilabelStratifiedShuffleSplit(n_splits=1, test_size=val_fraction, random_state=seed)
    _, val = next(splitter.split(table, table))
    in_val = np.zeros(len(labels), bool)
    in_val[val] = True
    _share_rare_classes(present, in_val)
    return np.flatnonzero(~in_val), np.flatnonzero(in_val)


def _share_rare_classes(labels: np.ndarray, in_val: np.ndarray) -> None:
    """Move an image over, in place, for each class of two images or more that is in one part only."""
    totals = labels.sum(axis=0)
    for column in np.argsort(totals, kind='stable')[::-1]:  # the rarest last: nothing undoes its move
        holders = np.flatnonzero(labels[:, column])
        if len(holders) < 2:
            continue
        for half in (True, False):
            if not (in_val[holders] == half).any():
                # Take the image whose scarcest class keeps most others in the half it leaves: none loses its only one.
                left = np.where(totals > 1, labels[in_val != half].sum(axis=0), len(labels))
                spare = [left[labels[image]].min() for image in holders]
                in_val[holders[int(np.argmax(spare))]] = half
