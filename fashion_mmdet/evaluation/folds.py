"""Folds of images, so that what is fitted on some is scored on others."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import KFold


def assign_folds(image_ids: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """Assign every image to a fold; the folds differ by one image at most.

    The assignment depends on the set of ids and the seed, not on the order of the ids. An id that comes several times
    (once per detection, say) is one image.

    Args:
        image_ids: N ids.
        folds: number of folds, at least 2.
        seed: seed of the shuffling.

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
    fold = np.empty(len(unique), int)
    for number, (_, held_out) in enumerate(KFold(folds, shuffle=True, random_state=seed).split(unique)):
        fold[held_out] = number
    return fold[inverse]
