"""What a filter is worth on images that it did not see: folds, repeated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.analysis.confidence.targets import sweep_hits
from fashion_mmdet.analysis.tuning.engine import Engine
from fashion_mmdet.analysis.tuning.validation import MMDET_DEFAULT
from fashion_mmdet.evaluation.confidence import model
from fashion_mmdet.evaluation.confidence.features import extract_features
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
        return (
            self.repeats * self.folds * (2 + INNER_FOLDS)
            if self.confidence == 'gain'
            else (self.repeats * self.folds * (1 + INNER_FOLDS))
        )


class Material:
    """Images with their features; what their truth makes of them is worked out when an image is asked for.

    Args:
        raws: the images of a dump.
        truths: by image id, masks of the size that is scored.
        base: postprocessing without a filter.
        metric: of the scores.

    Raises:
        ValueError: `base` has a filter already.
    """

    def __init__(
        self, raws: Sequence[RawPrediction], truths: Mapping[str, Truth], base: Postprocess, metric: Metric
    ) -> None:
        if base.filter is not None:
            raise ValueError(f"filter={base.filter}: a filter learns from the model's own scores; set filter=None")
        self.raws, self.truths, self.base, self.metric = list(raws), truths, base, metric
        self.features = [extract_features(raw) for raw in self.raws]
        self._hits: dict[int, np.ndarray] = {}

    def hits(self, image: int) -> np.ndarray:
        """Tell which of an image's detections hit, see `sweep_hits`."""
        if image not in self._hits:
            raw = self.raws[image]
            self._hits[image] = sweep_hits(raw, self.truths[raw.image_id], self.base, self.metric.match)
        return self._hits[image]

    def rows(self, images: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Put some images' detections one below the other; (N, F) features and (N, T) hits."""
        return (
            np.concatenate([self.features[image] for image in images]),
            np.concatenate([self.hits(image) for image in images]),
        )

    def engine(self, raws: Sequence[RawPrediction] | None = None) -> Engine:
        """Score the images, or the same ones with other scores."""
        return Engine(
            self.raws if raws is None else raws, self.truths, self.metric.size, self.metric.average, self.metric.match
        )


@dataclass(frozen=True)
class Fold:
    """What one held-out fold came to.

    Attributes:
        held_out: positions of its images.
        confidences: of their detections, an array an image.
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


def validate(material: Material, settings: Settings, on_fit: Callable[[], None] = lambda: None) -> list[Fold]:
    """Hold out each fold of each repeat in turn, fit filter and thresholds on the others, score.

    Args:
        material: the images.
        settings: of filter and folds.
        on_fit: called after each model fitted.

    Raises:
        ValueError: too few images for the folds, or nothing to learn.
    """
    ids = [raw.image_id for raw in material.raws]
    plain = material.engine()
    folds = []
    for repeat in range(settings.repeats):
        number = assign_folds(ids, settings.folds, settings.seed + repeat)
        folds += [
            _validate_fold(
                material, plain, np.flatnonzero(number != fold), np.flatnonzero(number == fold), settings, on_fit
            )
            for fold in range(settings.folds)
        ]
    return folds


def _validate_fold(
    material: Material,
    plain: Engine,
    fitted: np.ndarray,
    held_out: np.ndarray,
    settings: Settings,
    on_fit: Callable[[], None],
) -> Fold:
    base = material.base
    hit = _fit(material, fitted, 'hit', settings, on_fit)
    judge = hit if settings.confidence == 'hit' else _fit(material, fitted, settings.confidence, settings, on_fit)
    hits = _judge(material, held_out, 'hit', hit)
    confidences = _judge(material, held_out, settings.confidence, judge)
    unseen = cross_fit(material, fitted, settings, INNER_FOLDS, on_fit)
    engine = material.engine(with_scores(material.raws, [*held_out, *fitted], [*confidences, *unseen]))
    raw_threshold, threshold = best_threshold(plain, fitted, base), best_threshold(engine, fitted, base)
    scores = [
        plain.score(held_out, options) for options in (MMDET_DEFAULT, base, replace(base, score_thr=raw_threshold))
    ]
    scores.append(engine.score(held_out, replace(base, score_thr=threshold)))
    return Fold(held_out, confidences, hits, raw_threshold, threshold, np.array(scores))


def cross_fit(
    material: Material, images: np.ndarray, settings: Settings, folds: int, on_fit: Callable[[], None] = lambda: None
) -> list[np.ndarray]:
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


def with_scores(
    raws: Sequence[RawPrediction], images: Sequence[int], scores: Sequence[np.ndarray]
) -> list[RawPrediction]:
    """Give some images' detections other scores."""
    changed = list(raws)
    for image, values in zip(images, scores, strict=True):
        changed[image] = replace(changed[image], scores=values)
    return changed


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
