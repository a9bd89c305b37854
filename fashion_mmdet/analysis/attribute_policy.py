"""Which categories to submit with attributes, without, or not at all, and from which probability on. No torch.

Under `match='class_id'` an object that carries attributes is hit only by its whole ClassId, so a category whose
attributes are told badly scores more when it is left out, and one whose objects mostly carry none when its attributes
are. Every image is counted once under each choice for each category; choosing, and scoring a choice on other images,
then takes no masks:

    table = count_choices(pairs, thresholds)          # pairs of truth and postprocessed prediction, at 512x512
    choice = choose_policy(table, rows=train)         # chosen on some images ...
    score = score_choice(table, choice, rows=other)   # ... scored on others
    options = choice.options(postprocess_options)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES, NUM_MAIN_CATEGORIES, format_class_id
from fashion_mmdet.evaluation.attribute_choice import choose_attributes
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS, mask_ious, sweep_counts
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.evaluation.scoring import hit_ratios

DROP, WITHOUT = 0, 1  # choices; those from 2 on are 'with' at each threshold
THRESHOLDS = np.arange(20, 85, 5) / 100


@dataclass(frozen=True, slots=True)
class PolicyTable:
    """Hits and misses of I images under every choice, at T IoU thresholds.

    Attributes:
        thresholds: (K,) float, of the attributes' probabilities.
        rest: (I, T, 3) int64: TP, FP, FN of the categories from 13 on, which no choice changes.
        counts: (I, 13, 2 + K, T, 3) int64 by category and choice.
    """

    thresholds: np.ndarray
    rest: np.ndarray
    counts: np.ndarray


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """A threshold and a policy by category, and the score on the images that they were chosen on.

    Attributes:
        attribute_thr: from this probability on.
        attribute_policy: category id to 'with' or 'without', for the categories 0 to 12.
        drop_categories: category ids to leave out.
        fitted_score: on the images it was chosen on; it says nothing about others.
    """

    attribute_thr: float
    attribute_policy: dict[int, str]
    drop_categories: tuple[int, ...]
    fitted_score: float

    def options(self, others: Mapping | None = None) -> dict:
        """Give the postprocessing's options, over others."""
        others = dict(others or {})
        dropped = sorted({*others.get('drop_categories', ()), *self.drop_categories})
        return {**others, 'attribute_thr': self.attribute_thr, 'attribute_policy': dict(self.attribute_policy),
                'drop_categories': tuple(dropped)}


def count_choices(pairs: Iterable[tuple[Truth, Prediction]], thresholds: np.ndarray = THRESHOLDS) -> PolicyTable:
    """Count every image under every choice.

    Args:
        pairs: truth and prediction with masks of one size; the prediction by descending score, with `attribute_probs`,
            postprocessed so that no category changes another's masks (no `cross_class_iou`, `overlap` not 'all').
        thresholds: (K,) float.

    Raises:
        ValueError: a prediction without attribute probabilities.
    """
    rest, counts = [], []
    for truth, prediction in pairs:
        if len(prediction.masks) and prediction.attribute_probs is None:
            raise ValueError(f'{prediction.image_id}: no attribute probabilities: the model has no attribute head')
        other = np.zeros((len(IOU_THRESHOLDS), 3), np.int64)
        own = np.zeros((NUM_MAIN_CATEGORIES, 2 + len(thresholds), len(IOU_THRESHOLDS), 3), np.int64)
        for category in np.union1d(truth.categories, prediction.categories).astype(int).tolist():
            found = _count_category(truth, prediction, category, thresholds)
            if category < NUM_MAIN_CATEGORIES:
                own[category] = found
            else:
                other += found[WITHOUT]
        rest.append(other)
        counts.append(own)
    shape = (NUM_MAIN_CATEGORIES, 2 + len(thresholds), len(IOU_THRESHOLDS), 3)
    return PolicyTable(np.asarray(thresholds, float), np.array(rest, np.int64).reshape(-1, *shape[2:]),
                       np.array(counts, np.int64).reshape(-1, *shape))


def _count_category(truth: Truth, prediction: Prediction, category: int, thresholds: np.ndarray) -> np.ndarray:
    """Count one category of one image under every choice; (2 + K, T, 3)."""
    predicted, true = (np.flatnonzero(one.categories == category) for one in (prediction, truth))
    ious = mask_ious([prediction.masks[index] for index in predicted], [truth.masks[index] for index in true])
    true_ids = [format_class_id(category, truth.attributes[index]) for index in true]
    probs = prediction.attribute_probs[predicted] if len(predicted) else None
    everywhere = np.ones(NUM_CATEGORIES, bool)
    sets = [[()] * len(predicted), *(
        choose_attributes(prediction.categories[predicted], probs, np.full(NUM_ATTRIBUTES, threshold), everywhere)
        for threshold in thresholds)]
    dropped = sweep_counts(ious[:0], IOU_THRESHOLDS)
    return np.stack([dropped, *(
        _count_by_id(ious, [format_class_id(category, one) for one in chosen], true_ids) for chosen in sets)])


def _count_by_id(ious: np.ndarray, predicted_ids: Sequence[str], true_ids: Sequence[str]) -> np.ndarray:
    """Match where the ClassIds are equal; (T, 3)."""
    total = np.zeros((len(IOU_THRESHOLDS), 3), np.int64)
    for class_id in {*predicted_ids, *true_ids}:
        rows = [index for index, other in enumerate(predicted_ids) if other == class_id]
        columns = [index for index, other in enumerate(true_ids) if other == class_id]
        total += sweep_counts(ious[np.ix_(rows, columns)], IOU_THRESHOLDS)
    return total


def choose_policy(table: PolicyTable, rows: np.ndarray | None = None) -> PolicyChoice:
    """Choose the threshold and every category's policy that score most on some images.

    For each threshold the categories start all with attributes, then one after the other takes its best choice until
    none changes; the best threshold wins, the lowest of equals.

    Args:
        table: of `count_choices`.
        rows: indices of the images to choose on; None for all.

    Raises:
        ValueError: no images.
    """
    rest, counts = _rows(table, rows)
    best: tuple[float, int, np.ndarray] | None = None
    for index in range(len(table.thresholds)):
        score, choices = _ascend(rest, counts[:, :, [DROP, WITHOUT, 2 + index]])
        if best is None or score > best[0]:
            best = score, index, choices
    score, index, choices = best
    return PolicyChoice(
        attribute_thr=float(table.thresholds[index]),
        attribute_policy={category: 'without' if choice == WITHOUT else 'with'
                          for category, choice in enumerate(choices.tolist())},
        drop_categories=tuple(np.flatnonzero(choices == DROP).tolist()), fitted_score=score)


def _ascend(rest: np.ndarray, counts: np.ndarray) -> tuple[float, np.ndarray]:
    """Improve one category after the other; counts (I, 13, 3, T, 3). Of equal choices the present one stays."""
    choices = np.full(counts.shape[1], 2)
    pooled = rest + counts[:, :, 2].sum(axis=1)
    score = _score(pooled)
    improved = True
    while improved:
        improved = False
        for category in np.flatnonzero(counts.any(axis=(0, 2, 3, 4))).tolist():
            others = pooled - counts[:, category, choices[category]]
            scores = [_score(others + counts[:, category, choice]) for choice in range(counts.shape[2])]
            choice = int(np.argmax(scores))
            if scores[choice] > score + 1e-12:
                choices[category], score, improved = choice, scores[choice], True
                pooled = others + counts[:, category, choice]
    return score, choices


def score_choice(table: PolicyTable, choice: PolicyChoice, rows: np.ndarray | None = None) -> float:
    """Score a choice under `match='class_id'`, averaged over images.

    Args:
        table: of `count_choices`, with the choice's threshold among its own.
        choice: what to score.
        rows: indices of the images to score; None for all.

    Raises:
        ValueError: no images, or a threshold that was not counted.
    """
    rest, counts = _rows(table, rows)
    index = np.flatnonzero(table.thresholds == choice.attribute_thr)
    if not len(index):
        raise ValueError(f'attribute_thr={choice.attribute_thr} was not counted; there are {table.thresholds.tolist()}')
    picks = [DROP if category in choice.drop_categories else
             WITHOUT if choice.attribute_policy.get(category, 'with') == 'without' else 2 + int(index[0])
             for category in range(NUM_MAIN_CATEGORIES)]
    return _score(rest + counts[:, np.arange(NUM_MAIN_CATEGORIES), picks].sum(axis=1))


def _rows(table: PolicyTable, rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    chosen = slice(None) if rows is None else rows
    rest, counts = table.rest[chosen], table.counts[chosen]
    if not len(rest):
        raise ValueError('no images to choose or score on')
    return rest, counts


def _score(pooled: np.ndarray) -> float:
    """Average (I, T, 3) counts as the competition does."""
    return float(hit_ratios(pooled).mean())
