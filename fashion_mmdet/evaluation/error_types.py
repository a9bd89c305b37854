"""The error type of each object: which predictions are true or false positives, which true objects are missed."""

from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.evaluation.match_loops import match_greedily
from fashion_mmdet.evaluation.matching import class_ious
from fashion_mmdet.evaluation.predictions import Prediction, Truth

TRUE_POSITIVE, FALSE_NEGATIVE, FALSE_POSITIVE = 'hit', 'missed', 'spurious'  # as pages name them
ERROR_TYPES = (TRUE_POSITIVE, FALSE_NEGATIVE, FALSE_POSITIVE)


@dataclass(frozen=True)
class MatchResult:
    """Matches of the P predictions and G true objects of one image.

    Attributes:
        partners: (P,) int64, index of the true object that each prediction matches, -1 for none.
        ious: (P,) float64, the IoU with that object, 0 for none.
        predicted: P error types, TRUE_POSITIVE or FALSE_POSITIVE.
        true: G error types, TRUE_POSITIVE or FALSE_NEGATIVE.
    """

    partners: np.ndarray
    ious: np.ndarray
    predicted: tuple[str, ...]
    true: tuple[str, ...]


def match_objects(truth: Truth, prediction: Prediction, iou: float = 0.5) -> MatchResult:
    """Match one image's predictions to its true objects by category, as `matching.count_images` does.

    Args:
        truth: masks of the same size as the prediction's.
        prediction: by descending score.
        iou: a true positive needs an IoU strictly above.
    """
    overlaps = class_ious(prediction, truth)
    partners = match_greedily(overlaps, np.array([iou], np.float64))[0]
    matched, ious = partners >= 0, np.zeros(len(partners))
    ious[matched] = overlaps[matched, partners[matched]]
    found = np.isin(np.arange(len(truth.masks)), partners)
    return MatchResult(
        partners,
        ious,
        predicted=tuple(np.where(matched, TRUE_POSITIVE, FALSE_POSITIVE).tolist()),
        true=tuple(np.where(found, TRUE_POSITIVE, FALSE_NEGATIVE).tolist()),
    )


def keep_categories(objects: Truth | Prediction, categories: frozenset[int]) -> Truth | Prediction:
    """Return only the objects of some categories."""
    kept = [index for index, category in enumerate(objects.categories.tolist()) if category in categories]
    changes = dict(
        categories=objects.categories[kept],
        masks=[objects.masks[index] for index in kept],
        attributes=[objects.attributes[index] for index in kept],
    )
    if isinstance(objects, Prediction):
        changes['scores'] = objects.scores[kept]
        changes['sources'] = None if objects.sources is None else objects.sources[kept]
    return replace(objects, **changes)
