"""Attribute ids of objects as rows of marks."""

from collections.abc import Sequence

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES


def to_multi_hot(attributes: Sequence[Sequence[int]]) -> np.ndarray:
    """Mark each object's attributes.

    Args:
        attributes: ids of N objects; empty for an object without labels.

    Returns:
        (N, 92) bool; a row without a mark is an unlabelled object.
    """
    marks = np.zeros((len(attributes), NUM_ATTRIBUTES), bool)
    for row, ids in zip(marks, attributes, strict=True):
        row[list(ids)] = True
    return marks
