"""Scores of the attributes of the detections that match a true object."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES, to_multi_hot
from fashion_mmdet.evaluation.error_types import match_objects
from fashion_mmdet.evaluation.predictions import Prediction, Truth


@dataclass(frozen=True, slots=True)
class AttributeHits:
    """Detections that match a true object which carries attributes.

    Attributes:
        categories: (H,) int64, category ids.
        true: (H, 92) bool, the true objects' attributes.
        predicted: (H, 92) bool, the detections' attributes.
        probs: (H, 92) float16 in [0, 1].
    """

    categories: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    probs: np.ndarray


def find_hits(truth: Truth, prediction: Prediction) -> AttributeHits:
    """Match one image's detections to the true objects of their category at an IoU above 0.5.

    Pairs whose true object carries no attributes are left out: it may have some that nobody wrote down.

    Args:
        truth: masks of the same size as the prediction's.
        prediction: by descending score, with `attribute_probs`.

    Raises:
        ValueError: the model has no attribute head.
    """
    if len(prediction.masks) and prediction.attribute_probs is None:
        raise ValueError(f'{prediction.image_id}: no attribute probabilities: the model has no attribute head')
    partners = match_objects(truth, prediction).partners.tolist()
    found = [index for index, partner in enumerate(partners) if partner >= 0 and truth.attributes[partner]]
    return AttributeHits(
        categories=prediction.categories[found].astype(np.int64),
        true=to_multi_hot([truth.attributes[partners[index]] for index in found]),
        predicted=to_multi_hot([prediction.attributes[index] for index in found]),
        probs=prediction.attribute_probs[found] if found else np.zeros((0, NUM_ATTRIBUTES), np.float16),
    )


def join_hits(images: Iterable[AttributeHits]) -> AttributeHits:
    """Concatenate the hits of all images."""
    none = np.zeros((0, NUM_ATTRIBUTES), bool)
    parts = [AttributeHits(np.zeros(0, np.int64), none, none, none.astype(np.float16)), *images]
    return AttributeHits(*(np.concatenate([getattr(part, name) for part in parts]) for name in AttributeHits.__slots__))


def f1_by_attribute(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return 2 TP / (2 TP + FP + FN) of every attribute; (H, 92) bool twice to (92,) float, 0 where undefined."""
    tp, wrong = (true & predicted).sum(axis=0), (true ^ predicted).sum(axis=0)
    return np.where(tp + wrong > 0, 2 * tp / np.maximum(2 * tp + wrong, 1), 0.0)


def average_precisions(true: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Return every attribute's average precision over the hits, scikit-learn's (not interpolated).

    Args:
        true: (H, 92) bool.
        probs: (H, 92) float.

    Returns:
        (92,) float; NaN for an attribute that no hit truly has.
    """
    from sklearn.metrics import average_precision_score

    return np.array(
        [
            average_precision_score(column, scores) if column.any() else np.nan
            for column, scores in zip(true.T, probs.T.astype(np.float64), strict=True)
        ]
    )


def majority_attributes(categories: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """Return, as a baseline, the attributes that more than half of each category's labelled objects have.

    Args:
        categories: (N,) int, of the training objects.
        attributes: (N, 92) bool; an empty row is an object without labels, which does not count.

    Returns:
        (46, 92) bool.
    """
    guess = np.zeros((NUM_CATEGORIES, NUM_ATTRIBUTES), bool)
    labelled = attributes.any(axis=1)
    for category in np.unique(categories[labelled]):
        guess[category] = attributes[labelled & (categories == category)].mean(axis=0) > 0.5
    return guess
