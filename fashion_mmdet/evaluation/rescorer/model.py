"""The models of a rescorer: fitted on features and hits, asked for confidences."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fashion_mmdet.evaluation.predictions import RawPrediction
from fashion_mmdet.evaluation.rescorer.features import CATEGORY, FEATURE_NAMES, extract_features

KINDS = ('boosting', 'linear')
CONFIDENCES = ('gain', 'hit')
# Shallow trees, large leaves, a third of the columns a split: some 16,000 detections come from only 165 photos.
BOOSTING = dict(
    max_iter=200,
    max_leaf_nodes=8,
    learning_rate=0.06,
    min_samples_leaf=40,
    l2_regularization=5.0,
    max_features=0.3,
    early_stopping=False,
)


@dataclass(frozen=True)
class Rescorer:
    """Two models that give detections new scores."""

    hit: ClassifierMixin  # predicts the probability of a hit at IoU > 0.5
    gain: RegressorMixin  # predicts the share of the sweep's ten IoU thresholds at which a detection hits
    confidence: str = 'gain'  # which of both replaces the score in postprocessing
    meta: dict[str, Any] = field(default_factory=dict)  # where it comes from; see `store`

    def rescore(self, raw: RawPrediction) -> RawPrediction:
        """Replace the scores by confidences; the order of the detections stays."""
        features = extract_features(raw)
        scores = predict_gain(self.gain, features) if self.confidence == 'gain' else predict_hit(self.hit, features)
        return replace(raw, scores=scores)


def fit_hit(features: np.ndarray, hits: np.ndarray, kind: str = 'boosting', seed: int = 0) -> ClassifierMixin:
    """Fit a classifier of hits.

    Args:
        features: (N, F) float32, columns as `FEATURE_NAMES`.
        hits: (N, T) bool, see `analysis.rescorer.data.sweep_hits`.
        kind: 'boosting', or 'linear' for a logistic regression.
        seed: seed of the columns that a split may use.

    Raises:
        ValueError: every detection hits, or none.
    """
    _check(hits)
    linear = LogisticRegression(max_iter=1000)
    return _build(kind, HistGradientBoostingClassifier, linear, seed).fit(features, hits[:, 0])


def fit_gain(features: np.ndarray, hits: np.ndarray, kind: str = 'boosting', seed: int = 0) -> RegressorMixin:
    """Fit a regressor of the sweep gain; arguments and errors as for `fit_hit`, 'linear' is a ridge regression."""
    _check(hits)
    return _build(kind, HistGradientBoostingRegressor, Ridge(), seed).fit(features, hits.mean(axis=1))


def predict_hit(model: ClassifierMixin, features: np.ndarray) -> np.ndarray:
    """Predict P(hit) of each row of (N, F) features; (N,) float32."""
    if not len(features):
        return np.zeros(0, np.float32)
    return model.predict_proba(features)[:, 1].astype(np.float32)


def predict_gain(model: RegressorMixin, features: np.ndarray) -> np.ndarray:
    """Predict the sweep gain of each row of (N, F) features; (N,) float32 in [0, 1]."""
    if not len(features):
        return np.zeros(0, np.float32)
    return np.clip(model.predict(features), 0, 1).astype(np.float32)


def _build(kind: str, boosting: type, linear: ClassifierMixin | RegressorMixin, seed: int) -> Any:
    """Make an unfitted model; a linear one gets a column per category and a common scale."""
    category = [FEATURE_NAMES.index(CATEGORY)]
    if kind == 'boosting':
        return boosting(categorical_features=category, random_state=seed, **BOOSTING)
    one_hot = OneHotEncoder(handle_unknown='ignore'), category
    return make_pipeline(make_column_transformer(one_hot, remainder=StandardScaler()), linear)


def _check(hits: np.ndarray) -> None:
    at_half = hits[:, 0]
    if at_half.all() or not at_half.any():
        raise ValueError(f'{int(at_half.sum())} of {len(hits)} detections hit a true object: nothing to tell apart')
