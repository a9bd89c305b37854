"""The attributes of a ClassId from their probabilities: thresholds by attribute, a policy by category."""

from collections.abc import Mapping

import numpy as np

from fashion_mmdet.classes import NUM_CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.utils.checks import SHARE, check_number, values_by_id

POLICIES = ('with', 'without')
DEFAULT_THRESHOLD = 0.5  # of scores and attribute probabilities, where no option says another


def thresholds_by_id(name: str, option: float | Mapping[int | str, float], count: int) -> np.ndarray:
    """Return each id's threshold, (count,) float in [0, 1]; a mapping without 'default' means 0.5 for the rest.

    Raises:
        ValueError: an id that does not exist, or a threshold out of its range.
    """
    thresholds = values_by_id(name, option, count, DEFAULT_THRESHOLD)
    for threshold in thresholds if isinstance(option, Mapping) else thresholds[:1]:
        check_number(name, threshold, SHARE)
    return np.array(thresholds, float)


def categories_with_attributes(option: str | Mapping[int | str, str]) -> np.ndarray:
    """Return which categories are submitted with attributes, (46,) bool.

    Args:
        option: 'with', 'without', or a mapping from category id to one of them, with 'default' ('with' where absent)
            for the rest. Categories from 13 on never have attributes.

    Raises:
        ValueError: an id or a policy that does not exist.
    """
    policies = values_by_id('attribute_policy', option, NUM_CATEGORIES, 'with')
    for policy in policies:
        if policy not in POLICIES:
            raise ValueError(
                f'attribute_policy: {policy!r} is none of {", ".join(POLICIES)}; to leave a category out, '
                'add it to drop_categories'
            )
    return np.array([policy == 'with' for policy in policies]) & (np.arange(NUM_CATEGORIES) < NUM_MAIN_CATEGORIES)


def choose_attributes(
    categories: np.ndarray, probs: np.ndarray | None, thresholds: np.ndarray, with_attributes: np.ndarray
) -> list[tuple[int, ...]]:
    """Return every object's attributes, N tuples of ascending ids.

    Args:
        categories: (N,) int, category ids.
        probs: (N, 92) float in [0, 1]; None where the model has no attribute head.
        thresholds: (92,) float; an attribute is chosen from this probability on, but never at probability 0, which
            marks one that does not occur with the category.
        with_attributes: (46,) bool, see `categories_with_attributes`.
    """
    if probs is None:
        return [()] * len(categories)
    chosen = (probs >= thresholds) & (probs > 0) & with_attributes[categories][:, None]  # (N, 92)
    return [tuple(np.flatnonzero(row).tolist()) for row in chosen]
