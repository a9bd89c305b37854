"""How well attributes are told, on the detections that hit a true object: arrays in, scores out."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES
from fashion_mmdet.datasets.multi_hot import to_multi_hot
from fashion_mmdet.evaluation.matching import mask_ious, match_greedily
from fashion_mmdet.evaluation.predictions import Prediction, Truth

HIT_IOU = 0.5


@dataclass(frozen=True, slots=True)
class AttributeHits:
    """Detections that hit a true object which carries attributes.

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
    """Pair one image's detections with the true objects of their category at an IoU above 0.5.

    Matching is the competition's (`matching.match_greedily`), whatever the attributes. Pairs whose true object carries
    no attributes are left out: it may have some that nobody wrote down.

    Args:
        truth: masks of the same size as the prediction's.
        prediction: by descending score, with `attribute_probs`.

    Raises:
        ValueError: the model has no attribute head.
    """
    if len(prediction.masks) and prediction.attribute_probs is None:
        raise ValueError(f'{prediction.image_id}: no attribute probabilities: the model has no attribute head')
    detections, objects = [], []
    for category in np.intersect1d(truth.categories, prediction.categories):
        predicted, true = (np.flatnonzero(one.categories == category) for one in (prediction, truth))
        ious = mask_ious([prediction.masks[index] for index in predicted], [truth.masks[index] for index in true])
        matched = match_greedily(ious, np.array([HIT_IOU]))[0]
        detections += predicted[matched >= 0].tolist()
        objects += true[matched[matched >= 0]].tolist()
    labelled = [(one, other) for one, other in zip(detections, objects, strict=True) if truth.attributes[other]]
    found = [one for one, _ in labelled]
    probs = prediction.attribute_probs[found] if found else np.zeros((0, NUM_ATTRIBUTES), np.float16)
    return AttributeHits(
        categories=prediction.categories[found].astype(np.int64),
        true=to_multi_hot([truth.attributes[other] for _, other in labelled]),
        predicted=to_multi_hot([prediction.attributes[one] for one in found]),
        probs=probs,
    )


def join_hits(images: Iterable[AttributeHits]) -> AttributeHits:
    """Put the hits of all images into one."""
    none = np.zeros((0, NUM_ATTRIBUTES), bool)
    parts = [AttributeHits(np.zeros(0, np.int64), none, none, none.astype(np.float16)), *images]
    return AttributeHits(*(np.concatenate([getattr(part, name) for part in parts]) for name in AttributeHits.__slots__))


def f1_by_attribute(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Compute 2 TP / (2 TP + FP + FN) of every attribute; (H, 92) bool twice to (92,) float, 0 where undefined."""
    hits, wrong = (true & predicted).sum(axis=0), (true ^ predicted).sum(axis=0)
    return np.where(hits + wrong > 0, 2 * hits / np.maximum(2 * hits + wrong, 1), 0.0)


def average_precisions(true: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Compute every attribute's average precision over the hits, scikit-learn's (no interpolation).

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
    """Guess without looking: of each category, the attributes that more than half of its labelled objects have.

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
