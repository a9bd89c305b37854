"""What a filter is worth on images that it did not see: folds, repeated. No torch, no files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.analysis.confidence import model
from fashion_mmdet.analysis.confidence.features import extract_features
from fashion_mmdet.analysis.confidence.targets import best_ious
from fashion_mmdet.analysis.tuning.engine import Engine
from fashion_mmdet.analysis.tuning.validation import MMDET_DEFAULT
from fashion_mmdet.evaluation.folds import assign_folds
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth

THRESHOLDS = np.arange(1, 100) / 100
INNER_FOLDS = 3
ROWS = ("mmdet's default thresholds", 'options as they are', 'best single score threshold', 'filter, its threshold')


@dataclass(frozen=True)
class Metric:
    """How predictions are scored: see `scoring.summarize`, `matching.count_image`, `offline.score_dump`."""

    average: str = 'image'
    match: str = 'category'
    size: tuple[int, int] | None = (512, 512)


@dataclass(frozen=True)
class Settings:
    """How a filter is fitted and tried.

    Attributes:
        kind: of the models, see `model.KINDS`.
        confidence: which model's answer takes the score's place.
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
        return self.repeats * self.folds * (2 + INNER_FOLDS) if self.confidence == 'gain' else (
            self.repeats * self.folds * (1 + INNER_FOLDS))


class Material:
    """Images with their features; what their truth makes of them is worked out when an image is asked for.

    Args:
        raws: the images of a dump.
        truths: by image id, masks of the size that is scored.
        mask_thr: of the masks.
    """

    def __init__(self, raws: Sequence[RawPrediction], truths: Mapping[str, Truth], mask_thr: float = 0.5,
                 features: Sequence[np.ndarray] | None = None) -> None:
        self.raws, self.truths, self._mask_thr = list(raws), truths, mask_thr
        self.features = list(map(extract_features, self.raws)) if features is None else list(features)
        self._ious: dict[int, np.ndarray] = {}

    def ious(self, image: int) -> np.ndarray:
        """Give the IoUs that an image's detections reach, see `best_ious`."""
        if image not in self._ious:
            raw = self.raws[image]
            self._ious[image] = best_ious(raw, self.truths[raw.image_id], self._mask_thr)
        return self._ious[image]

    def rows(self, images: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Put some images' detections one below the other; (N, F) features and (N,) IoUs."""
        return (np.concatenate([self.features[image] for image in images]),
                np.concatenate([self.ious(image) for image in images]))


@dataclass(frozen=True)
class Fold:
    """What one held-out fold came to.

    Attributes:
        held_out: positions of its images.
        gains: expected sweep gain of their detections, an array an image, or P(hit): what is used as confidence.
        hits: P(hit) of their detections, an array an image.
        raw_threshold: the best score threshold of the other folds.
        threshold: the best threshold of the confidences of the other folds, each from a filter that did not see it.
        scores: (4,) float, by `ROWS`.
    """

    held_out: np.ndarray
    confidences: list[np.ndarray]
    hits: list[np.ndarray]
    raw_threshold: float
    threshold: float
    scores: np.ndarray


def validate(material: Material, base: Postprocess, settings: Settings, metric: Metric,
             on_fit: Callable[[], None] = lambda: None) -> list[Fold]:
    """Hold out each fold of each repeat in turn, fit filter and thresholds on the others, score.

    Args:
        material: the images.
        base: postprocessing; its score threshold is replaced by the one found.
        settings: of filter and folds.
        metric: of the scores.
        on_fit: called after each model fitted.

    Raises:
        ValueError: too few images for the folds, or nothing to learn.
    """
    ids = [raw.image_id for raw in material.raws]
    plain = _engine(material, material.raws, metric)
    folds = []
    for repeat in range(settings.repeats):
        number = assign_folds(ids, settings.folds, settings.seed + repeat)
        folds += [_validate_fold(material, plain, np.flatnonzero(number != fold), np.flatnonzero(number == fold), base,
                                 settings, metric, on_fit) for fold in range(settings.folds)]
    return folds


def _validate_fold(material: Material, plain: Engine, fitted: np.ndarray, held_out: np.ndarray, base: Postprocess,
                   settings: Settings, metric: Metric, on_fit: Callable[[], None]) -> Fold:
    hit = _fit(material, fitted, 'hit', settings, on_fit)
    judge = hit if settings.confidence == 'hit' else _fit(material, fitted, settings.confidence, settings, on_fit)
    hits = _judge(material, held_out, 'hit', hit)
    confidences = _judge(material, held_out, settings.confidence, judge)
    unseen = cross_fit(material, fitted, settings, INNER_FOLDS, on_fit)
    raws = list(material.raws)
    for image, values in zip([*held_out, *fitted], [*confidences, *unseen], strict=True):
        raws[image] = replace(raws[image], scores=values)
    engine = _engine(material, raws, metric)
    raw_threshold, threshold = best_threshold(plain, fitted, base), best_threshold(engine, fitted, base)
    scores = [plain.score(held_out, options)
              for options in (MMDET_DEFAULT, base, replace(base, score_thr=raw_threshold))]
    scores.append(engine.score(held_out, replace(base, score_thr=threshold)))
    return Fold(held_out, confidences, hits, raw_threshold, threshold, np.array(scores))


def cross_fit(material: Material, images: np.ndarray, settings: Settings, folds: int,
              on_fit: Callable[[], None] = lambda: None) -> list[np.ndarray]:
    """Give the confidences of some images' detections, each image's from a filter that learned from the others.

    Args:
        material: the images.
        images: (K,) int positions; no other image is looked at.
        settings: of the filter.
        folds: into which `images` are dealt.
        on_fit: called after each model fitted.

    Returns:
        K arrays of (N,) float32.
    """
    number = assign_folds([material.raws[image].image_id for image in images], folds, settings.seed)
    confidences: dict[int, np.ndarray] = {}
    for fold in range(folds):
        judge = _fit(material, images[number != fold], settings.confidence, settings, on_fit)
        out = images[number == fold]
        confidences.update(zip(out.tolist(), _judge(material, out, settings.confidence, judge), strict=True))
    return [confidences[image] for image in images.tolist()]


def best_threshold(engine: Engine, images: Sequence[int], base: Postprocess) -> float:
    """Find the single score threshold that scores best on some images; of equals, the lowest."""
    scores = engine.detections(images, base, THRESHOLDS[0]).scores_along(THRESHOLDS, base.drop_categories)
    return float(THRESHOLDS[np.argmax(scores)])


def _engine(material: Material, raws: Sequence[RawPrediction], metric: Metric) -> Engine:
    return Engine(raws, material.truths, metric.size, metric.average, metric.match)


def _fit(material: Material, images: np.ndarray, what: str, settings: Settings, on_fit: Callable[[], None]) -> object:
    fit = model.fit_hit if what == 'hit' else model.fit_gain
    fitted = fit(*material.rows(images), settings.kind, settings.seed)
    on_fit()
    return fitted


def _judge(material: Material, images: np.ndarray, what: str, judge: object) -> list[np.ndarray]:
    """Ask a model about some images' detections, all at once; an array an image."""
    predict = model.predict_hit if what == 'hit' else model.predict_gain
    features = [material.features[image] for image in images]
    return np.split(predict(judge, np.concatenate(features)), np.cumsum(list(map(len, features)))[:-1])
