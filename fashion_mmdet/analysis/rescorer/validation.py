"""What a rescorer is worth on images that it did not see: folds, repeated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.analysis.rescorer.data import TrainingData
from fashion_mmdet.analysis.tuning.score_cache import ScoreCache
from fashion_mmdet.analysis.tuning.validation import MMDET_DEFAULT
from fashion_mmdet.evaluation.folds import assign_folds
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.rescorer import model

THRESHOLDS = np.arange(1, 100) / 100
INNER_FOLDS = 3
ROWS = ("mmdet's default thresholds", 'options as they are', 'best single score threshold', 'rescorer, its threshold')


@dataclass(frozen=True)
class Settings:
    """How a rescorer is fitted and tried.

    Attributes:
        kind: kind of the models, see `model.KINDS`.
        confidence: the model whose answer replaces the score, see `model.CONFIDENCES`.
        folds: held out in turn.
        repeats: of the folds, each dealt anew.
        seed: of folds and models.
    """

    kind: str = 'boosting'
    confidence: str = 'gain'
    folds: int = 5
    repeats: int = 3
    seed: int = 0

    def fits(self) -> int:
        """Count the models that `validate` fits."""
        return self.repeats * self.folds * (INNER_FOLDS + (2 if self.confidence == 'gain' else 1))


@dataclass(frozen=True)
class Fold:
    """One held-out fold.

    Attributes:
        held_out: positions of its images.
        confidences: of their detections, an array per image.
        hit_probs: P(hit) of their detections, an array per image.
        raw_threshold: best score threshold of the other folds.
        threshold: best threshold of the other folds' out-of-fold confidences.
        scores: (4,) float, by `ROWS`.
    """

    held_out: np.ndarray
    confidences: list[np.ndarray]
    hit_probs: list[np.ndarray]
    raw_threshold: float
    threshold: float
    scores: np.ndarray


def validate(data: TrainingData, settings: Settings, on_fit: Callable[[], None] = lambda: None) -> list[Fold]:
    """Hold out each fold of each repeat in turn, fit rescorer and thresholds on the others, score.

    Args:
        data: images and their detections.
        settings: of rescorer and folds.
        on_fit: called after each model fitted.

    Raises:
        ValueError: too few images for the folds, or nothing to learn.
    """
    ids, plain = [raw.image_id for raw in data.raws], data.score_cache(data.raws)
    folds = []
    for repeat in range(settings.repeats):
        number = assign_folds(ids, settings.folds, settings.seed + repeat)
        for fold in range(settings.folds):
            fitted, held_out = np.flatnonzero(number != fold), np.flatnonzero(number == fold)
            folds.append(_validate_fold(data, plain, fitted, held_out, settings, on_fit))
    return folds


def _validate_fold(
    data: TrainingData,
    plain: ScoreCache,
    fitted: np.ndarray,
    held_out: np.ndarray,
    settings: Settings,
    on_fit: Callable[[], None],
) -> Fold:
    hit_probs = confidences = _fit_predict(data, fitted, held_out, 'hit', settings, on_fit)
    if settings.confidence != 'hit':
        confidences = _fit_predict(data, fitted, held_out, settings.confidence, settings, on_fit)
    out_of_fold = cross_fit(data, fitted, settings, INNER_FOLDS, on_fit)
    rescored = data.score_cache(data.with_scores([*held_out, *fitted], [*confidences, *out_of_fold]))
    base = data.base
    raw_threshold, threshold = best_threshold(plain, fitted, base), best_threshold(rescored, fitted, base)
    scores = [plain.score(held_out, one) for one in (MMDET_DEFAULT, base, replace(base, score_thr=raw_threshold))]
    scores.append(rescored.score(held_out, replace(base, score_thr=threshold)))
    return Fold(held_out, confidences, hit_probs, raw_threshold, threshold, np.array(scores))


def cross_fit(
    data: TrainingData, images: np.ndarray, settings: Settings, folds: int, on_fit: Callable[[], None] = lambda: None
) -> list[np.ndarray]:
    """Return the out-of-fold confidences of some images: each image's from a rescorer fitted on the others.

    Args:
        data: images and their detections.
        images: (K,) int positions; no other image is looked at.
        settings: of the rescorer.
        folds: number of folds of `images`.
        on_fit: called after each model fitted.

    Returns:
        K arrays of (N,) float32.
    """
    number = assign_folds([data.raws[image].image_id for image in images], folds, settings.seed)
    confidences: dict[int, np.ndarray] = {}
    for fold in range(folds):
        fitted, out = images[number != fold], images[number == fold]
        found = _fit_predict(data, fitted, out, settings.confidence, settings, on_fit)
        confidences.update(zip(out.tolist(), found, strict=True))
    return [confidences[image] for image in images.tolist()]


def _fit_predict(
    data: TrainingData,
    fitted: np.ndarray,
    asked: np.ndarray,
    confidence: str,
    settings: Settings,
    on_fit: Callable[[], None],
) -> list[np.ndarray]:
    """Fit a model on some images and ask it about others; an array per image."""
    fit, predict = (model.fit_hit, model.predict_hit) if confidence == 'hit' else (model.fit_gain, model.predict_gain)
    fitted_model = fit(*data.rows(fitted), settings.kind, settings.seed)
    on_fit()
    features = [data.features[image] for image in asked]
    return np.split(predict(fitted_model, np.concatenate(features)), np.cumsum(list(map(len, features)))[:-1])


def best_threshold(cache: ScoreCache, images: Sequence[int], base: Postprocess) -> float:
    """Find the single score threshold that scores best on some images; of equals, the lowest."""
    scores = cache.detections(images, base, THRESHOLDS[0]).scores_along(THRESHOLDS, base.drop_categories)
    return float(THRESHOLDS[np.argmax(scores)])
