"""Folds of images, so that what is fitted on some is scored on others."""

import hashlib
from collections.abc import Sequence

import numpy as np


def assign_folds(image_ids: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """Give every image a fold, the folds of equal size up to one image.

    Images are dealt out in the order of a hash of seed and id, so a fold depends on the set of ids and the seed, not on
    the order in which they come. An id that comes several times (a row a detection, say) is one image.

    Args:
        image_ids: N ids.
        folds: how many, at least two.
        seed: of the hash.

    Returns:
        (N,) int in [0, folds).

    Raises:
        ValueError: fewer than two folds, or fewer images than folds.
    """
    if folds < 2:
        raise ValueError(f'folds={folds}: at least 2, to fit on one and score on another')
    unique, inverse = np.unique(np.asarray(image_ids, dtype=str), return_inverse=True)
    if len(unique) < folds:
        raise ValueError(f'{len(unique)} image(s) cannot be dealt out to {folds} folds')
    digests = [hashlib.sha256(f'{seed}:{image_id}'.encode()).digest() for image_id in unique]
    fold = np.empty(len(unique), int)
    fold[sorted(range(len(unique)), key=digests.__getitem__)] = np.arange(len(unique)) % folds
    return fold[inverse]
