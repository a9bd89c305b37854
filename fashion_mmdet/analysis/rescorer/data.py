"""What a rescorer learns from: the features of raw detections, and at which IoUs each of them hits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.analysis.tuning.score_cache import ScoreCache
from fashion_mmdet.analysis.tuning.tables import build_table
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth
from fashion_mmdet.evaluation.rescorer import model
from fashion_mmdet.evaluation.rescorer.features import extract_features


@dataclass(frozen=True)
class Metric:
    """How predictions are scored: see `scoring.summarize`, `matching.count_image`, `offline.score_dump`."""

    average: str = 'image'
    match: str = 'category'
    size: tuple[int, int] | None = (512, 512)


class TrainingData:
    """Images with the features of their detections; their truth is looked at when an image is asked for.

    Args:
        raws: images of a dump.
        truths: true masks by image id, of the size that is scored.
        base: postprocessing without a rescorer.
        metric: how predictions are scored.
        on_fit: called after each model fitted.

    Raises:
        ValueError: `base` has a rescorer already.
    """

    def __init__(
        self,
        raws: Sequence[RawPrediction],
        truths: Mapping[str, Truth],
        base: Postprocess,
        metric: Metric,
        on_fit: Callable[[], None] = lambda: None,
    ) -> None:
        if base.rescorer is not None:
            raise ValueError(
                f"rescorer={base.rescorer}: a rescorer learns from the model's own scores; set rescorer=None"
            )
        self.raws, self.truths, self.base, self.metric, self._on_fit = list(raws), truths, base, metric, on_fit
        self.features = [extract_features(raw) for raw in self.raws]
        self._hits: dict[int, np.ndarray] = {}

    def hits(self, image: int) -> np.ndarray:
        """Return at which IoUs an image's detections hit, see `sweep_hits`."""
        if image not in self._hits:
            raw = self.raws[image]
            self._hits[image] = sweep_hits(raw, self.truths[raw.image_id], self.base, self.metric.match)
        return self._hits[image]

    def rows(self, images: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Concatenate some images' detections; (N, F) features and (N, T) hits."""
        features, hits = zip(*((self.features[image], self.hits(image)) for image in images), strict=True)
        return np.concatenate(features), np.concatenate(hits)

    def fit(self, images: Sequence[int], confidence: str, kind: str, seed: int) -> object:
        """Fit a model of P(hit) or of the sweep gain on some images; see `model.fit_hit`."""
        fitted = (model.fit_hit if confidence == 'hit' else model.fit_gain)(*self.rows(images), kind, seed)
        self._on_fit()
        return fitted

    def predict(self, fitted: object, images: Sequence[int], confidence: str) -> list[np.ndarray]:
        """Ask a model about some images' detections; an array per image."""
        features = [self.features[image] for image in images]
        found = (model.predict_hit if confidence == 'hit' else model.predict_gain)(fitted, np.concatenate(features))
        return np.split(found, np.cumsum(list(map(len, features)))[:-1])

    def with_scores(self, images: Sequence[int], scores: Sequence[np.ndarray]) -> list[RawPrediction]:
        """Return all images, some of them with other scores."""
        changed = list(self.raws)
        for image, values in zip(images, scores, strict=True):
            changed[image] = replace(changed[image], scores=values)
        return changed

    def score_cache(self, raws: Sequence[RawPrediction]) -> ScoreCache:
        """Score the images, or the same ones with other scores."""
        return ScoreCache(raws, self.truths, self.metric.size, self.metric.average, self.metric.match)


def sweep_hits(raw: RawPrediction, truth: Truth, options: Postprocess, match: str = 'category') -> np.ndarray:
    """Return at which IoUs each detection hits if all detections are taken, whatever their score.

    A detection that NMS suppresses, and one that comes second to an object, is no hit, so that a rescorer learns to
    give duplicates low scores.

    Args:
        raw: raw prediction of an image.
        truth: truth of the same image; masks are compared at its size.
        options: NMS, masks and overlap; score thresholds, dropped categories and any rescorer are left out.
        match: 'category', or 'class_id': the attributes must agree too.

    Returns:
        (N, T) bool, hits at each of `IOU_THRESHOLDS`.
    """
    everything = replace(options, rescorer=None, max_per_image=None)
    table = build_table(raw, truth, everything, 0.0, truth.size, match)
    rows, row_hits = table.hits(options.min_area)
    hits = np.zeros((len(raw.scores), len(IOU_THRESHOLDS)), bool)
    hits[table.sources[rows]] = row_hits
    return hits
