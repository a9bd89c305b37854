"""Match predictions to true objects, and count true positives, false positives and false negatives."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import format_class_id
from fashion_mmdet.evaluation.match_loops import count_groups, find_groups
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.masks.rle import coco_to_edges

IOU_THRESHOLDS = np.arange(50, 100, 5) / 100  # exactly 0.50, 0.55 ... 0.95
MATCHES = ('category', 'class_id')
IMAGES_AT_ONCE = 64  # their runs stay in the processor's cache


@dataclass(slots=True)
class ImageCounts:
    """Counts of one image, one row per class that is true or predicted there.

    Attributes:
        image_id: as in the CSV.
        categories: (K,) int64; with `match='class_id'` a category has a row for each of its ClassIds.
        counts: (K, T, 3) int64: TP, FP, FN at each of T thresholds.
        tp_ious: (K,) float, sum of the IoUs of the true positives at the first threshold.
    """

    image_id: str
    categories: np.ndarray
    counts: np.ndarray
    tp_ious: np.ndarray


def count_image(
    truth: Truth, prediction: Prediction, match: str = 'category', thresholds: np.ndarray = IOU_THRESHOLDS
) -> ImageCounts:
    """Count one image, see `count_images`."""
    return count_images([truth], [prediction], match, thresholds)[0]


def count_images(
    truths: Sequence[Truth],
    predictions: Sequence[Prediction],
    match: str = 'category',
    thresholds: np.ndarray = IOU_THRESHOLDS,
) -> list[ImageCounts]:
    """Match every image's predictions to its true objects, class by class, and count.

    Args:
        truths: one per image.
        predictions: of the same images in the same order, by descending score; masks of the truth's size.
        match: 'category', or 'class_id' where the attributes must agree too.
        thresholds: (T,) IoUs, ascending.

    Raises:
        ValueError: the masks' sizes differ, or `match` is unknown.
    """
    return list(count_pairs(zip(truths, predictions, strict=True), match, thresholds))


def count_pairs(
    pairs: Iterable[tuple[Truth, Prediction]], match: str = 'category', thresholds: np.ndarray = IOU_THRESHOLDS
) -> Iterator[ImageCounts]:
    """Count lazily as `count_images` does, with at most `IMAGES_AT_ONCE` images in memory."""
    if match not in MATCHES:
        raise ValueError(f'match={match!r}: one of {", ".join(MATCHES)}')
    pairs = iter(pairs)
    while some := list(itertools.islice(pairs, IMAGES_AT_ONCE)):
        for truth, prediction in some:
            if truth.masks and prediction.masks and tuple(truth.size) != tuple(prediction.size):
                raise ValueError(f'{truth.image_id}: true masks are {truth.size}, predicted {prediction.size}')
        truths, predictions = zip(*some, strict=True)
        yield from _count(truths, predictions, match, np.asarray(thresholds, np.float64))


def _count(
    truths: Sequence[Truth], predictions: Sequence[Prediction], match: str, thresholds: np.ndarray
) -> list[ImageCounts]:
    """Count a batch of images, their objects concatenated: all true ones first, then all predicted ones."""
    objects = [*truths, *predictions]
    sizes = np.array([len(one.masks) for one in objects])
    bounds = np.concatenate([[0], np.cumsum(sizes)])  # objects of entry i: bounds[i] to bounds[i + 1]
    categories = np.concatenate([one.categories for one in objects]).astype(np.int64)
    groups, paired, first_of_group, group_bounds = find_groups(_keys(objects, categories, match), bounds)
    edges, edge_bounds = coco_to_edges([mask for one in objects for mask in one.masks], paired)
    counts, tp_ious = count_groups(edges, edge_bounds, groups, bounds, group_bounds, thresholds)
    kinds = categories[first_of_group]
    return [
        ImageCounts(truth.image_id, kinds[start:stop], counts[start:stop], tp_ious[start:stop])
        for truth, (start, stop) in zip(truths, itertools.pairwise(group_bounds.tolist()), strict=True)
    ]


def _keys(objects: Sequence[Truth | Prediction], categories: np.ndarray, match: str) -> np.ndarray:
    """Return a number for the class of each object, (N,) int64; objects match only if theirs are equal."""
    if match == 'category':
        return categories
    numbers: dict[str, int] = {}
    return np.array(
        [
            numbers.setdefault(format_class_id(category, attributes), len(numbers))
            for one in objects
            for category, attributes in zip(one.categories, one.attributes, strict=True)
        ],
        np.int64,
    )


def class_ious(prediction: Prediction, truth: Truth) -> np.ndarray:
    """Return the mask IoU of each prediction with each true object of its category, 0 elsewhere; (P, G) float64.

    `match_greedily` on the whole matrix thus matches class by class, whatever the number of classes.
    """
    same = prediction.categories[:, None] == truth.categories
    return np.where(same, mask_ious(prediction.masks, truth.masks), 0.0)


def mask_ious(predicted: Sequence[dict], true: Sequence[dict]) -> np.ndarray:
    """Return the IoUs of COCO RLE masks of one size, (P, G) float64 in [0, 1], also where either side is empty."""
    if not predicted or not true:
        return np.zeros((len(predicted), len(true)))
    return coco_mask.iou(list(predicted), list(true), [0] * len(true))


def box_ious(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the IoUs of (N, 4) and (K, 4) boxes x1 y1 x2 y2; (N, K) float in [0, 1], 0 where both lack an area."""
    low, high = np.maximum(boxes[:, None, :2], others[:, :2]), np.minimum(boxes[:, None, 2:], others[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas, other_areas = (np.maximum(one[:, 2:] - one[:, :2], 0).prod(axis=1) for one in (boxes, others))
    union = areas[:, None] + other_areas - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
