"""Object by object: which predictions hit, which are spurious, what was missed."""

from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.evaluation.match_loops import match_greedily
from fashion_mmdet.evaluation.matching import mask_ious
from fashion_mmdet.evaluation.predictions import Prediction, Truth

HIT, MISSED, SPURIOUS = 'hit', 'missed', 'spurious'
VERDICTS = (HIT, MISSED, SPURIOUS)


@dataclass(frozen=True)
class Judgement:
    """What became of the objects of one image.

    Attributes:
        true: a verdict for each of G true objects, hit or missed.
        predicted: a verdict for each of P predictions, hit or spurious.
        ious: (P,) float64, a hit's IoU with the object that it hits; 0 for a spurious one.
    """

    true: tuple[str, ...]
    predicted: tuple[str, ...]
    ious: np.ndarray


def judge(truth: Truth, prediction: Prediction, iou: float = 0.5) -> Judgement:
    """Match one image's predictions with its true objects by category, as `matching.count_image` counts them.

    Args:
        truth: masks of the same size as the prediction's.
        prediction: by descending score.
        iou: a hit needs an IoU strictly above.
    """
    true = np.full(len(truth.masks), MISSED, object)
    predicted = np.full(len(prediction.masks), SPURIOUS, object)
    ious = np.zeros(len(prediction.masks))
    for category in np.intersect1d(truth.categories, prediction.categories):
        rows, columns = (np.flatnonzero(one.categories == category) for one in (prediction, truth))
        overlaps = mask_ious([prediction.masks[row] for row in rows], [truth.masks[column] for column in columns])
        matched = match_greedily(overlaps, np.array([iou], np.float64))[0]
        hits = np.flatnonzero(matched >= 0)
        true[columns[matched[hits]]] = HIT
        predicted[rows[hits]] = HIT
        ious[rows[hits]] = overlaps[hits, matched[hits]]
    return Judgement(tuple(true), tuple(predicted), ious)


def keep_categories(objects: Truth | Prediction, categories: frozenset[int]) -> Truth | Prediction:
    """Leave out the objects of all other categories."""
    kept = [index for index, category in enumerate(objects.categories.tolist()) if category in categories]
    changes = dict(
        categories=objects.categories[kept],
        masks=[objects.masks[index] for index in kept],
        attributes=[objects.attributes[index] for index in kept],
    )
    if isinstance(objects, Prediction):
        changes['scores'] = objects.scores[kept]
    return replace(objects, **changes)
