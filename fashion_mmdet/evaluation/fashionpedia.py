"""Fashionpedia's AP at IoU and attribute F1.

Source: Jia et al., "Fashionpedia: Ontology, Segmentation, and an Attribute Localization Dataset" (ECCV 2020), AP at
IoU + F1, and its public evaluation code. A detection is a true positive if both its IoU with a free true object of its
category and the F1 of its attributes with that object's are above their thresholds. As there: F1 is the mean of the F1
of the attributes present and of those absent; a category's AP is COCO's, interpolated at 101 recalls; AP is the mean
over categories, over IoU 0.50 to 0.95 and over F1 0.50 to 0.95.

Different here, since most objects of this competition carry no attributes: a true object without any does not
count, nor does a detection that overlaps one; only the categories 0 to 12 are averaged; of several objects that would
do, a detection takes the one with the largest IoU.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.classes import NUM_MAIN_CATEGORIES, to_multi_hot
from fashion_mmdet.evaluation.match_loops import match_greedily
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS, class_ious
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.evaluation.scoring import average_precision

F1_THRESHOLDS = IOU_THRESHOLDS
IGNORE_F1 = -1.0  # every F1 is above
TRUE_POSITIVE, FALSE_POSITIVE, IGNORED = 1, 0, -1


@dataclass(frozen=True, slots=True)
class CategoryMatches:
    """Detections of one category in one image.

    Attributes:
        scores: (P,) float, descending.
        outcomes: (T, F, P) int8 at T IoU and F F1 thresholds: TRUE_POSITIVE, FALSE_POSITIVE or IGNORED.
        objects: number of true objects that carry attributes.
    """

    scores: np.ndarray
    outcomes: np.ndarray
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


def match_detections(
    ious: np.ndarray, f1s: np.ndarray, labelled: np.ndarray, iou_thresholds: np.ndarray, f1_thresholds: np.ndarray
) -> np.ndarray:
    """Tell for each detection whether it is a true positive, a false positive or to be ignored.

    Args:
        ious: (P, G) float, detections by descending score against true objects.
        f1s: (P, G) float.
        labelled: (G,) bool, the objects that carry attributes.
        iou_thresholds: (T,); a true positive needs an IoU strictly above.
        f1_thresholds: (F,); a true positive needs an F1 strictly above.

    Returns:
        (T, F, P) int8.
    """
    fitting = [np.where(labelled & (f1s > f1), ious, 0.0) for f1 in f1_thresholds]
    matched = np.stack([match_greedily(overlaps, iou_thresholds) >= 0 for overlaps in fitting], axis=1)  # (T, F, P)
    excused = ((ious > iou_thresholds[:, None, None]) & ~labelled).any(axis=2)[:, None]  # (T, 1, P)
    return np.where(matched, TRUE_POSITIVE, np.where(excused, IGNORED, FALSE_POSITIVE)).astype(np.int8)


def match_image(
    truth: Truth,
    prediction: Prediction,
    iou_thresholds: np.ndarray = IOU_THRESHOLDS,
    f1_thresholds: np.ndarray = F1_THRESHOLDS,
) -> dict[int, CategoryMatches]:
    """Match one image's detections of the categories 0 to 12, which may carry attributes.

    Args:
        truth: masks of the same size as the prediction's.
        prediction: by descending score.
        iou_thresholds: (T,).
        f1_thresholds: (F,).

    Returns:
        Matches by category id, of the categories that are true or predicted there.
    """
    marks = to_multi_hot(truth.attributes)
    labelled = marks.any(axis=1)
    f1s = attribute_f1(to_multi_hot(prediction.attributes), marks)
    outcomes = match_detections(class_ious(prediction, truth), f1s, labelled, iou_thresholds, f1_thresholds)
    matches = {}
    for category in np.union1d(truth.categories, prediction.categories).astype(int).tolist():
        if category < NUM_MAIN_CATEGORIES:
            here = prediction.categories == category
            objects = int((labelled & (truth.categories == category)).sum())
            matches[category] = CategoryMatches(prediction.scores[here], outcomes[:, :, here], objects)
    return matches


def mean_average_precision(images: Sequence[dict[int, CategoryMatches]]) -> np.ndarray:
    """Average COCO's AP over the categories of which some true object carries attributes.

    Args:
        images: of `match_image`, all at the same thresholds.

    Returns:
        (T, F) float; NaN where there is no such category.
    """
    by_category: dict[int, list[CategoryMatches]] = {}
    for image in images:
        for category, matches in image.items():
            by_category.setdefault(category, []).append(matches)
    precisions = []
    for matches in by_category.values():
        objects = sum(one.objects for one in matches)
        if objects:
            scores = np.concatenate([one.scores for one in matches])
            outcomes = np.concatenate([one.outcomes for one in matches], axis=2)
            precisions.append([[_average_precision(scores, cell, objects) for cell in row] for row in outcomes])
    if not precisions:
        return np.full(next(iter(by_category.values()))[0].outcomes.shape[:2] if by_category else (0, 0), np.nan)
    return np.mean(precisions, axis=0)


def _average_precision(scores: np.ndarray, outcomes: np.ndarray, objects: int) -> float:
    counted = outcomes != IGNORED
    return average_precision(scores[counted], outcomes[counted] == TRUE_POSITIVE, objects)
