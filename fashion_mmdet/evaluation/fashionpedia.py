"""Fashionpedia's AP at IoU and attribute F1: arrays in, scores out.

Source: Jia et al., "Fashionpedia: Ontology, Segmentation, and an Attribute Localization Dataset" (ECCV 2020), AP at
IoU + F1, and its public evaluation code. A detection is a hit if its IoU with a free true object of its category and
the F1 of its attributes with that object's are both above their thresholds. As there: F1 is the mean of the F1 of the
attributes present and of those absent; a category's AP is COCO's, interpolated at 101 recalls; AP is the mean over
categories, over IoU 0.50 to 0.95 and over F1 0.50 to 0.95.

Different here, since most objects of this competition carry no attributes: a true object without any is neither hit
nor missed, and a detection that overlaps one does not count; only the categories 0 to 12 are averaged; of several
objects that would do, a detection takes the one with the largest IoU.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_MAIN_CATEGORIES
from fashion_mmdet.datasets.multi_hot import to_multi_hot
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS, mask_ious
from fashion_mmdet.evaluation.predictions import Prediction, Truth

F1_THRESHOLDS = IOU_THRESHOLDS
IGNORE_F1 = -1.0  # every F1 is above
RECALLS = np.linspace(0, 1, 101)
HIT, SPURIOUS, IGNORED = 1, 0, -1


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One category in one image.

    Attributes:
        scores: (P,) float, descending.
        verdicts: (T, F, P) int8 at T IoU and F F1 thresholds: HIT, SPURIOUS or IGNORED.
        objects: number of true objects that carry attributes.
    """

    scores: np.ndarray
    verdicts: np.ndarray
    objects: int


def attribute_f1(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Compare attribute sets: the mean of the F1 of the attributes present and of those absent.

    Args:
        predicted: (P, 92) bool.
        true: (G, 92) bool.

    Returns:
        (P, G) float in [0, 1]; an F1 of nothing with nothing is 0, as scikit-learn has it.
    """

    def f1(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        both = one.astype(float) @ other.T.astype(float)
        total = one.sum(axis=1)[:, None] + other.sum(axis=1)
        return 2 * both / np.maximum(total, 1)

    return (f1(predicted, true) + f1(~predicted, ~true)) / 2


def judge(
    ious: np.ndarray, f1s: np.ndarray, labelled: np.ndarray, iou_thresholds: np.ndarray, f1_thresholds: np.ndarray
) -> np.ndarray:
    """Say of every detection whether it is a hit, spurious or to be ignored.

    Args:
        ious: (P, G) float, detections by descending score against true objects.
        f1s: (P, G) float.
        labelled: (G,) bool, the objects that carry attributes.
        iou_thresholds: (T,); a hit needs an IoU strictly above.
        f1_thresholds: (F,); a hit needs an F1 strictly above.

    Returns:
        (T, F, P) int8.
    """
    near = ious > iou_thresholds[:, None, None]  # (T, P, G)
    fits = (near & labelled)[:, None] & (f1s > f1_thresholds[:, None, None])  # (T, F, P, G)
    verdicts = np.zeros((len(iou_thresholds), len(f1_thresholds), len(ious)), np.int8)
    if not ious.size:
        return verdicts
    free = np.ones((*verdicts.shape[:2], ious.shape[1]), bool)
    rows, columns = np.indices(verdicts.shape[:2])
    for index, overlap in enumerate(ious):
        best = np.where(free & fits[:, :, index], overlap, -1.0).argmax(axis=2)  # (T, F)
        hit = free[rows, columns, best] & fits[rows, columns, index, best]
        free[rows[hit], columns[hit], best[hit]] = False
        excused = (near[:, index] & ~labelled).any(axis=1)[:, None]
        verdicts[:, :, index] = np.where(hit, HIT, np.where(excused, IGNORED, SPURIOUS))
    return verdicts


def judge_image(
    truth: Truth,
    prediction: Prediction,
    iou_thresholds: np.ndarray = IOU_THRESHOLDS,
    f1_thresholds: np.ndarray = F1_THRESHOLDS,
) -> dict[int, Verdicts]:
    """Judge one image's detections of the categories 0 to 12, which may carry attributes.

    Args:
        truth: masks of the same size as the prediction's.
        prediction: by descending score.
        iou_thresholds: (T,).
        f1_thresholds: (F,).

    Returns:
        Verdicts by category id, of those that are true or predicted there.
    """
    judged = {}
    for category in np.union1d(truth.categories, prediction.categories).astype(int).tolist():
        if category >= NUM_MAIN_CATEGORIES:
            continue
        predicted, true = (np.flatnonzero(one.categories == category) for one in (prediction, truth))
        ious = mask_ious([prediction.masks[index] for index in predicted], [truth.masks[index] for index in true])
        marks = to_multi_hot([truth.attributes[index] for index in true]).reshape(-1, NUM_ATTRIBUTES)
        f1s = attribute_f1(to_multi_hot([prediction.attributes[index] for index in predicted]), marks)
        labelled = marks.any(axis=1)
        judged[category] = Verdicts(
            prediction.scores[predicted], judge(ious, f1s, labelled, iou_thresholds, f1_thresholds), int(labelled.sum())
        )
    return judged


def average_precision(scores: np.ndarray, verdicts: np.ndarray, objects: int) -> float:
    """Compute COCO's AP of one category at one pair of thresholds.

    Args:
        scores: (P,) float, of all images.
        verdicts: (P,) int8.
        objects: number of true objects, at least 1.

    Returns:
        The mean over 101 recalls of the best precision at that recall or beyond; in [0, 1].
    """
    counted = verdicts != IGNORED
    order = np.argsort(-scores[counted], kind='stable')
    hits = np.cumsum(verdicts[counted][order] == HIT)
    if not len(hits):
        return 0.0
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    at = np.searchsorted(hits / objects, RECALLS, side='left')
    return float(np.where(at < len(precision), precision[np.minimum(at, len(precision) - 1)], 0.0).mean())


def mean_average_precision(images: Sequence[dict[int, Verdicts]]) -> np.ndarray:
    """Average AP over the categories that some labelled true object has.

    Args:
        images: of `judge_image`, all at the same thresholds.

    Returns:
        (T, F) float; NaN where no category has a labelled object.
    """
    by_category: dict[int, list[Verdicts]] = {}
    for image in images:
        for category, found in image.items():
            by_category.setdefault(category, []).append(found)
    precisions = []
    for found in by_category.values():
        objects = sum(one.objects for one in found)
        if objects:
            scores = np.concatenate([one.scores for one in found])
            verdicts = np.concatenate([one.verdicts for one in found], axis=2)
            precisions.append([[average_precision(scores, column, objects) for column in row] for row in verdicts])
    if not precisions:
        return np.full(next(iter(by_category.values()))[0].verdicts.shape[:2] if by_category else (0, 0), np.nan)
    return np.mean(precisions, axis=0)
