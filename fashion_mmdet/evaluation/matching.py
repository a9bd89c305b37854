"""Matching predictions to true objects: arrays in, counts out. No torch, no files."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import format_class_id
from fashion_mmdet.evaluation.predictions import Prediction, Truth

IOU_THRESHOLDS = np.arange(50, 100, 5) / 100  # exactly 0.50, 0.55 ... 0.95
MATCHES = ('category', 'class_id')


@dataclass(slots=True)
class ImageCounts:
    """Hits and misses of one image, a row a class that is true or predicted there.

    Attributes:
        image_id: as in the CSV.
        categories: (K,) int64; with `match='class_id'` a category has a row for each of its ClassIds.
        counts: (K, T, 3) int64: TP, FP, FN at each of T thresholds.
        hit_ious: (K,) float, the sum of the IoUs of the hits at the first threshold.
    """

    image_id: str
    categories: np.ndarray
    counts: np.ndarray
    hit_ious: np.ndarray


def match_greedily(ious: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Assign predictions, best score first, each to the free true object it overlaps most.

    Args:
        ious: (P, G) float in [0, 1], predictions by descending score against true objects.
        thresholds: (T,) ascending; a hit needs an IoU strictly above.

    Returns:
        (T, P) int: the true object a prediction hits at each threshold, -1 for none.
    """
    matched = np.full((len(thresholds), ious.shape[0]), -1)
    if ious.size == 0:
        return matched
    free = np.ones((len(thresholds), ious.shape[1]), bool)
    rows = np.arange(len(thresholds))
    for index, overlap in enumerate(ious):
        candidates = np.where(free, overlap, -1.0)  # (T, G)
        best = candidates.argmax(axis=1)
        hit = candidates[rows, best] > thresholds
        matched[hit, index] = best[hit]
        free[rows[hit], best[hit]] = False
    return matched


def sweep_counts(ious: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Count hits, spurious and missed objects of one class in one image at every threshold.

    Args:
        ious: (P, G) float in [0, 1], predictions by descending score against true objects.
        thresholds: (T,) ascending; a hit needs an IoU strictly above.

    Returns:
        (T, 3) int: TP, FP, FN.
    """
    return _counts(match_greedily(ious, thresholds), ious.shape)


def _counts(matched: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    hits = (matched >= 0).sum(axis=1)
    return np.stack([hits, shape[0] - hits, shape[1] - hits], axis=1)


def count_image(truth: Truth, prediction: Prediction, match: str = 'category',
                thresholds: np.ndarray = IOU_THRESHOLDS) -> ImageCounts:
    """Match one image's predictions with its true objects, class by class.

    Args:
        truth: masks of the same size as the prediction's.
        prediction: by descending score.
        match: 'category', or 'class_id': the attributes must agree too.
        thresholds: (T,) ascending IoUs.

    Raises:
        ValueError: the masks' sizes differ, or an unknown `match`.
    """
    if truth.masks and prediction.masks and tuple(truth.size) != tuple(prediction.size):
        raise ValueError(f'{truth.image_id}: true masks are {truth.size}, predicted {prediction.size}')
    true_keys, predicted_keys = _keys(truth, match), _keys(prediction, match)
    categories, counts, hit_ious = [], [], []
    for key in dict.fromkeys([*true_keys, *predicted_keys]):
        true = [index for index, other in enumerate(true_keys) if other == key]
        predicted = [index for index, other in enumerate(predicted_keys) if other == key]
        ious = mask_ious([prediction.masks[index] for index in predicted], [truth.masks[index] for index in true])
        matched = match_greedily(ious, thresholds)
        hits = np.flatnonzero(matched[0] >= 0)
        categories.append(int(key.split('_')[0]))
        counts.append(_counts(matched, ious.shape))
        hit_ious.append(float(ious[hits, matched[0, hits]].sum()))
    return ImageCounts(
        image_id=truth.image_id, categories=np.array(categories, np.int64),
        counts=np.array(counts, np.int64).reshape(len(categories), len(thresholds), 3),
        hit_ious=np.array(hit_ious, np.float64))


def _keys(objects: Truth | Prediction, match: str) -> list[str]:
    """Name the class of every object: objects can match where the names are equal."""
    if match == 'category':
        return [str(category) for category in objects.categories]
    if match == 'class_id':
        return [format_class_id(category, attributes)
                for category, attributes in zip(objects.categories, objects.attributes, strict=True)]
    raise ValueError(f'match={match!r}: one of {", ".join(MATCHES)}')


def mask_ious(predicted: Sequence[dict], true: Sequence[dict]) -> np.ndarray:
    """Compare masks; (P, G) float in [0, 1], of COCO RLE of one size, also where either side is empty."""
    if not predicted or not true:
        return np.zeros((len(predicted), len(true)))
    return coco_mask.iou(list(predicted), list(true), [0] * len(true))
