"""From attribute probabilities to a ClassId: thresholds by attribute, a policy by category. No torch."""

from collections.abc import Mapping

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES, NUM_MAIN_CATEGORIES

POLICIES = ('with', 'without')


def attribute_thresholds(option: float | Mapping[int | str, float]) -> np.ndarray:
    """Give each attribute's threshold.

    Args:
        option: one number, or a mapping from attribute id with 'default' (0.5 where absent) for the rest.

    Returns:
        (92,) float in [0, 1].

    Raises:
        ValueError: an id that does not exist, or a threshold outside [0, 1].
    """
    thresholds = np.array(_spread('attribute_thr', option, NUM_ATTRIBUTES, 0.5), float)
    if not ((thresholds >= 0) & (thresholds <= 1)).all():
        raise ValueError(f'attribute_thr={option}: must lie between 0 and 1')
    return thresholds


def categories_with_attributes(option: str | Mapping[int | str, str]) -> np.ndarray:
    """Tell which categories are submitted with attributes.

    Args:
        option: 'with', 'without', or a mapping from category id to one of them, with 'default' ('with' where absent)
            for the rest. Categories from 13 on have no attributes whatever it says.

    Returns:
        (46,) bool.

    Raises:
        ValueError: an id or a policy that does not exist.
    """
    policies = _spread('attribute_policy', option, NUM_CATEGORIES, 'with')
    for policy in policies:
        if policy not in POLICIES:
            raise ValueError(f'attribute_policy: {policy!r} is none of {", ".join(POLICIES)}; to leave a category out, '
                             'add it to drop_categories')
    return np.array([policy == 'with' for policy in policies]) & (np.arange(NUM_CATEGORIES) < NUM_MAIN_CATEGORIES)


def _spread(name: str, option: object, count: int, default: object) -> list:
    """Turn one value, or values by id with a default, into a list of values."""
    if not isinstance(option, Mapping):
        return [option] * count
    unknown = [key for key in option if str(key) not in {'default', *map(str, range(count))}]
    if unknown:
        raise ValueError(f'{name}: {unknown[0]!r} is no id from 0 to {count - 1}')
    by_text = {str(key): value for key, value in option.items()}
    return [by_text.get(str(index), by_text.get('default', default)) for index in range(count)]


def choose_attributes(categories: np.ndarray, probs: np.ndarray | None, thresholds: np.ndarray,
                      with_attributes: np.ndarray) -> list[tuple[int, ...]]:
    """Choose every object's attributes.

    Args:
        categories: (N,) int, category ids.
        probs: (N, 92) float in [0, 1]; None where the model has no attribute head.
        thresholds: (92,) float; an attribute is chosen from this probability on, but never at probability 0, which
            says that it does not go with the category.
        with_attributes: (46,) bool, see `categories_with_attributes`.

    Returns:
        N tuples of attribute ids, ascending.
    """
    if probs is None:
        return [()] * len(categories)
    chosen = (probs >= thresholds) & (probs > 0) & with_attributes[categories][:, None]  # (N, 92)
    return [tuple(np.flatnonzero(row).tolist()) for row in chosen]
