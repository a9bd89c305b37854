"""Rank labels by how strongly predictions contradict them.

After confident learning (Northcutt, Jiang, Chuang, JAIR 70, 2021, arXiv 1911.00068): how confident a model is differs
by class, so a label is compared with the other labels of its class, and a prediction counts for as much as predictions
of its confidence turned out right. Both are measured on the labels to be checked, most of which are right. As there,
the predictions must be of photos that the model was not trained on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from fashion_mmdet.analysis.label_errors.pairs import Pair
from fashion_mmdet.classes import NUM_CATEGORIES
from fashion_mmdet.evaluation.matching import mask_ious

WRONG_CLASS, WRONG_MASK, MISSING, NOT_FOUND = 'wrong class', 'wrong mask', 'missing', 'not found'
KINDS = (WRONG_CLASS, WRONG_MASK, MISSING, NOT_FOUND)
PRIOR = 0.05  # expected share of wrong labels
SAME_PLACE = 0.5  # a prediction of another class means the labelled object from this IoU on
SOME_OVERLAP = 0.1  # one of the label's class from this one on
GOOD_MASK = 0.7  # from this IoU on a prediction does not contradict the label's outline
POOLED = 10  # labels, or predictions, of all classes that smooth a class's own


@dataclass(frozen=True)
class Finding:
    """A label that may be wrong, or an object that may lack one.

    Attributes:
        image_id: its image.
        kind: one of KINDS, by what contradicts it.
        suspicion: in [0, 1], an estimate of the probability that the label is wrong.
        index: place of the label among the image's labels; None for a missing one.
        category: class of the label; None for a missing one.
        predicted: class of the prediction that contradicts it; None where there is none.
        score: score of that prediction; None where there is none.
        iou: IoU of label and prediction; None without both.
        mask: COCO RLE of the label, or for a missing one of the prediction.
    """

    image_id: str
    kind: str
    suspicion: float
    index: int | None
    category: int | None
    predicted: int | None
    score: float | None
    iou: float | None
    mask: dict


class _ByClass:
    """Values of labels, sorted for each class and for all."""

    def __init__(self, categories: np.ndarray, values: np.ndarray) -> None:
        self._all = np.sort(values)
        self._own = [np.sort(values[categories == category]) for category in range(NUM_CATEGORIES)]

    def share_below(self, categories: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Return the share of a class's values, smoothed by `POOLED` of all, that are no larger than each of these."""
        pooled = (np.searchsorted(self._all, values, 'right') + 1) / (len(self._all) + 1)
        own = [self._own[category] for category in categories.tolist()]
        below = [np.searchsorted(one, value, 'right') for one, value in zip(own, values, strict=True)]
        return (np.array(below, float) + POOLED * pooled) / (np.array([len(one) for one in own], float) + POOLED)


class Reference:
    """What is usual for the labels of each class and for predictions of each class and score, over all images.

    Args:
        pairs: all images.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        labels = np.concatenate([pair.truth.categories for pair in pairs])
        self._support = _ByClass(labels, np.concatenate([pair.support() for pair in pairs]))
        overlaps = np.concatenate([pair.overlaps() for pair in pairs])
        self._overlaps = _ByClass(labels[overlaps > SOME_OVERLAP], overlaps[overlaps > SOME_OVERLAP])
        scores = np.concatenate([pair.prediction.scores for pair in pairs]).astype(np.float64)
        classes = np.concatenate([pair.prediction.categories for pair in pairs])
        right = np.concatenate([pair.partners >= 0 for pair in pairs]).astype(np.float64)
        pooled = _fit(np.append(scores, 0.0), np.append(right, 0.0))  # a score of 0 is never right
        self._own = {}
        for category in np.unique(classes).tolist():
            own = classes == category
            self._own[category] = _fit(scores[own], right[own], pooled.predict(scores[own]))

    def poorer_support(self, pair: Pair) -> np.ndarray:
        """Return the share of a class's labels that predictions support no better than each of these, (G,) above 0."""
        return self._support.share_below(pair.truth.categories, pair.support())

    def poorer_overlap(self, categories: np.ndarray, ious: np.ndarray) -> np.ndarray:
        """Return the share of a class's labels that overlap a prediction of their class no better than so, (N,)."""
        return self._overlaps.share_below(categories, ious)

    def reliability(self, pair: Pair) -> np.ndarray:
        """Return the share of predictions of these classes and scores that match a label, (P,)."""
        categories, scores = pair.prediction.categories, pair.prediction.scores.astype(np.float64)
        shares = np.zeros(len(scores))
        for category in np.unique(categories).tolist():
            shares[categories == category] = self._own[category].predict(scores[categories == category])
        return shares


def _fit(scores: np.ndarray, right: np.ndarray, prior: np.ndarray | None = None) -> IsotonicRegression:
    """Fit the share of right predictions by score, never falling; `prior` values count like `POOLED` more of them."""
    curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds='clip')
    if prior is None:
        return curve.fit(scores, right)
    weights = np.repeat([1.0, POOLED / len(scores)], len(scores))
    return curve.fit(np.tile(scores, 2), np.append(right, prior), weights)


def rank(pairs: Sequence[Pair]) -> list[Finding]:
    """List every label and every prediction that lacks one, the most suspicious first; of equals, in order."""
    if not any(pair.truth.masks for pair in pairs):
        return []
    reference = Reference(pairs)
    findings = [finding for pair in pairs for finding in judge(pair, reference)]
    return sorted(findings, key=lambda finding: -finding.suspicion)


def judge(pair: Pair, reference: Reference) -> Iterator[Finding]:
    """Judge the labels of one image, and what its predictions find beside them."""
    reliability = reference.reliability(pair)
    yield from _judge_labels(pair, reference, reliability)
    yield from _find_missing(pair, reliability)


def doubt(share: np.ndarray | float) -> np.ndarray | float:
    """Return the probability that a label is wrong, given the share of all labels that look as odd.

    Bayes' rule for a share `PRIOR` of wrong labels, all of which look so odd: of 100 labels 5 are wrong, and of the
    other 95 a `share` looks like them.
    """
    return PRIOR / (PRIOR + (1 - PRIOR) * share)


def _judge_labels(pair: Pair, reference: Reference, reliability: np.ndarray) -> Iterator[Finding]:
    """Take for each label what contradicts it best.

    A prediction of another class in its place makes a label that is poorly supported more suspicious by as much as the
    prediction is reliable; so does one of its own class with another outline, by as much as such outlines are rare for
    the class. Alone, poor support may be a hard object.
    """
    prediction, free, same_class = pair.prediction, pair.partners < 0, pair.same_class
    support = reference.poorer_support(pair)
    for index, category in enumerate(pair.truth.categories.tolist()):
        ious, same = pair.ious[:, index], same_class[:, index]
        rare = 1 - reference.poorer_overlap(np.full(len(ious), category), ious)
        part = (ious > SOME_OVERLAP) & (ious < GOOD_MASK) & (free | (pair.partners == index))
        rivals = {
            WRONG_CLASS: np.where(free & ~same & (ious > SAME_PLACE), reliability, 0.0),
            WRONG_MASK: np.where(same & part, reliability * rare, 0.0),
        }
        kind = max(rivals, key=lambda name: rivals[name].max(initial=0.0))
        trust = float(rivals[kind].max(initial=0.0))
        best = int(rivals[kind].argmax()) if trust else None
        yield Finding(
            pair.truth.image_id,
            kind if trust else NOT_FOUND,
            float(doubt(support[index] * (1 - trust))),
            index,
            category,
            None if best is None else int(prediction.categories[best]),
            None if best is None else float(prediction.scores[best]),
            None if best is None else float(ious[best]),
            pair.truth.masks[index],
        )


def _find_missing(pair: Pair, reliability: np.ndarray) -> Iterator[Finding]:
    """Take the predictions that lie on no label, each place once."""
    prediction = pair.prediction
    on_label = (pair.ious > np.where(pair.same_class, SOME_OVERLAP, SAME_PLACE)).any(axis=1)
    taken: list[dict] = []
    for index in np.flatnonzero(~on_label):
        mask = prediction.masks[index]
        if mask_ious([mask], taken).max(initial=0.0) > SAME_PLACE:
            continue
        taken.append(mask)
        category, score = int(prediction.categories[index]), float(prediction.scores[index])
        suspicion = float(doubt(1 - reliability[index]))
        yield Finding(prediction.image_id, MISSING, suspicion, None, None, category, score, None, mask)
