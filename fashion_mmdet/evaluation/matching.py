"""Matching predictions to true objects: arrays in, counts out."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import format_class_id
from fashion_mmdet.evaluation.match_loops import count_groups, find_groups, match_greedily
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.masks.rle_batch import coco_to_edges

IOU_THRESHOLDS = np.arange(50, 100, 5) / 100  # exactly 0.50, 0.55 ... 0.95
MATCHES = ('category', 'class_id')
IMAGES_AT_ONCE = 64  # their runs stay in the processor's cache


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


def sweep_counts(ious: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Count hits, spurious and missed objects of one class in one image at every threshold.

    Args:
        ious: (P, G) float in [0, 1], predictions by descending score against true objects.
        thresholds: (T,) ascending; a hit needs an IoU strictly above.

    Returns:
        (T, 3) int: TP, FP, FN.
    """
    hits = (match_greedily(ious, thresholds) >= 0).sum(axis=1)
    return np.stack([hits, ious.shape[0] - hits, ious.shape[1] - hits], axis=1)


def count_image(
    truth: Truth, prediction: Prediction, match: str = 'category', thresholds: np.ndarray = IOU_THRESHOLDS
) -> ImageCounts:
    """Match one image's predictions with its true objects, see `count_images`."""
    return count_images([truth], [prediction], match, thresholds)[0]


def count_images(
    truths: Sequence[Truth],
    predictions: Sequence[Prediction],
    match: str = 'category',
    thresholds: np.ndarray = IOU_THRESHOLDS,
) -> list[ImageCounts]:
    """Match every image's predictions with its true objects, class by class.

    Args:
        truths: one an image, masks of the same size as the prediction's.
        predictions: of the same images in the same order, each by descending score.
        match: 'category', or 'class_id': the attributes must agree too.
        thresholds: (T,) ascending IoUs.

    Raises:
        ValueError: the masks' sizes differ, or an unknown `match`.
    """
    return list(count_pairs(zip(truths, predictions, strict=True), match, thresholds))


def count_pairs(
    pairs: Iterable[tuple[Truth, Prediction]], match: str = 'category', thresholds: np.ndarray = IOU_THRESHOLDS
) -> Iterator[ImageCounts]:
    """Count as `count_images` does, image after image, holding no more than `IMAGES_AT_ONCE` of them."""
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
    """Count a few images at once: all true objects, then all predicted, as flat arrays."""
    objects = [*truths, *predictions]
    sizes = np.array([len(one.masks) for one in objects])
    bounds = np.concatenate([[0], np.cumsum(sizes)])  # objects of entry i: bounds[i] to bounds[i + 1]
    categories = np.concatenate([one.categories for one in objects]).astype(np.int64)
    groups, paired, first_of_group, group_bounds = find_groups(_keys(objects, categories, match), bounds)
    edges, edge_bounds = coco_to_edges([mask for one in objects for mask in one.masks], paired)
    counts, hit_ious = count_groups(edges, edge_bounds, groups, bounds, group_bounds, thresholds)
    kinds = categories[first_of_group]
    return [
        ImageCounts(truth.image_id, kinds[start:stop], counts[start:stop], hit_ious[start:stop])
        for truth, (start, stop) in zip(truths, itertools.pairwise(group_bounds.tolist()), strict=True)
    ]


def _keys(objects: Sequence[Truth | Prediction], categories: np.ndarray, match: str) -> np.ndarray:
    """Number the class of every object: objects can match where the numbers are equal; (N,) int64."""
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


def mask_ious(predicted: Sequence[dict], true: Sequence[dict]) -> np.ndarray:
    """Compare masks; (P, G) float in [0, 1], of COCO RLE of one size, also where either side is empty."""
    if not predicted or not true:
        return np.zeros((len(predicted), len(true)))
    return coco_mask.iou(list(predicted), list(true), [0] * len(true))
