"""What a rescorer is worth on images that it did not see: folds, repeated."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.analysis.rescorer.data import TrainingData
from fashion_mmdet.analysis.tuning.score_cache import ScoreCache
from fashion_mmdet.analysis.tuning.validation import MMDET_DEFAULT
from fashion_mmdet.evaluation.folds import assign_folds
from fashion_mmdet.evaluation.postprocess import Postprocess

THRESHOLDS = np.arange(1, 100) / 100
INNER_FOLDS = 3
ROWS = ("mmdet's default thresholds", 'options as they are', 'best single score threshold', 'rescorer, its threshold')


@dataclass(frozen=True)
class Settings:
    """How a rescorer is fitted and tried."""

    kind: str = 'boosting'  # kind of the models, see `model.KINDS`
    confidence: str = 'gain'  # the model whose answer replaces the score, see `model.CONFIDENCES`
    folds: int = 5  # held out in turn
    repeats: int = 3  # of the folds, each with another seed
    seed: int = 0  # of folds and models

    def fits(self) -> int:
        """Count the models that `validate` fits."""
        return self.repeats * self.folds * (INNER_FOLDS + (2 if self.confidence == 'gain' else 1))


@dataclass(frozen=True)
class Fold:
    """One held-out fold."""

    held_out: np.ndarray  # positions of its images
    confidences: list[np.ndarray]  # of their detections, an array per image
    hit_probs: list[np.ndarray]  # P(hit) of their detections, an array per image
    raw_threshold: float  # best score threshold of the other folds
    threshold: float  # best threshold of the other folds' out-of-fold confidences
    scores: np.ndarray  # (4,) float, by `ROWS`


def validate(data: TrainingData, settings: Settings) -> list[Fold]:
    """Hold out each fold of each repeat in turn, fit rescorer and thresholds on the others, score.

    Raises:
        ValueError: too few images for the folds, or nothing to learn.
    """
    ids, plain = [raw.image_id for raw in data.raws], data.score_cache(data.raws)
    folds = []
    for repeat in range(settings.repeats):
        number = assign_folds(ids, settings.folds, settings.seed + repeat)
        for fold in range(settings.folds):
            fitted, held_out = np.flatnonzero(number != fold), np.flatnonzero(number == fold)
            folds.append(_validate_fold(data, settings, plain, fitted, held_out))
    return folds


def _validate_fold(
    data: TrainingData, settings: Settings, plain: ScoreCache, fitted: np.ndarray, held_out: np.ndarray
) -> Fold:
    hit_probs = confidences = _fit_predict(data, settings, 'hit', fitted, held_out)
    if settings.confidence != 'hit':
        confidences = _fit_predict(data, settings, settings.confidence, fitted, held_out)
    out_of_fold = _cross_fit(data, settings, fitted)
    rescored = data.score_cache(data.with_scores([*held_out, *fitted], [*confidences, *out_of_fold]))
    base = data.base
    raw_threshold, threshold = best_threshold(plain, fitted, base), best_threshold(rescored, fitted, base)
    scores = [plain.exact_score(held_out, one) for one in (MMDET_DEFAULT, base, replace(base, score_thr=raw_threshold))]
    scores.append(rescored.exact_score(held_out, replace(base, score_thr=threshold)))
    return Fold(held_out, confidences, hit_probs, raw_threshold, threshold, np.array(scores))


def _cross_fit(data: TrainingData, settings: Settings, images: np.ndarray) -> list[np.ndarray]:
    """Return the out-of-fold confidences of (K,) images, each image's from a rescorer fitted on the others of them."""
    number = assign_folds([data.raws[image].image_id for image in images], INNER_FOLDS, settings.seed)
    confidences: dict[int, np.ndarray] = {}
    for fold in range(INNER_FOLDS):
        fitted, out = images[number != fold], images[number == fold]
        confidences.update(zip(out, _fit_predict(data, settings, settings.confidence, fitted, out), strict=True))
    return [confidences[image] for image in images]


def _fit_predict(
    data: TrainingData, settings: Settings, confidence: str, fitted: np.ndarray, asked: np.ndarray
) -> list[np.ndarray]:
    model = data.fit(fitted, confidence, settings.kind, settings.seed)
    return data.predict(model, asked, confidence)


def best_threshold(cache: ScoreCache, images: Sequence[int], base: Postprocess) -> float:
    """Find the single score threshold that scores best on some images; of equals, the lowest."""
    scores = cache.detections(images, base, THRESHOLDS[0]).scores_along(THRESHOLDS, base.drop_categories)
    return float(THRESHOLDS[np.argmax(scores)])
