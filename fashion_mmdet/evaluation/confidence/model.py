"""The models of a filter: fitted on features and hits, asked for confidences."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fashion_mmdet.evaluation.confidence.features import CATEGORY, FEATURE_NAMES, extract_features
from fashion_mmdet.evaluation.predictions import RawPrediction

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
class ConfidenceFilter:
    """What judges detections.

    Attributes:
        hit: gives the probability of a hit at IoU > 0.5.
        gain: gives the expected sweep gain, the share of the sweep's ten IoU thresholds at which the detection hits.
        confidence: which of both takes the score's place in postprocessing.
        meta: where it comes from; see `store`.
    """

    hit: ClassifierMixin
    gain: RegressorMixin
    confidence: str = 'gain'
    meta: dict[str, Any] = field(default_factory=dict)

    def rescore(self, raw: RawPrediction) -> RawPrediction:
        """Put the confidences in the place of the scores; the order of the detections stays."""
        features = extract_features(raw)
        judged = predict_gain(self.gain, features) if self.confidence == 'gain' else predict_hit(self.hit, features)
        return replace(raw, scores=judged)


def fit_hit(features: np.ndarray, hits: np.ndarray, kind: str = 'boosting', seed: int = 0) -> ClassifierMixin:
    """Fit a classifier of hits.

    Args:
        features: (N, F) float32, columns as `FEATURE_NAMES`.
        hits: (N, T) bool, see `targets.sweep_hits`.
        kind: 'boosting', or 'linear' for a logistic regression.
        seed: of the columns that a split may use.

    Raises:
        ValueError: every detection hits, or none.
    """
    _check(hits)
    if kind == 'boosting':
        model = HistGradientBoostingClassifier(
            categorical_features=[FEATURE_NAMES.index(CATEGORY)], random_state=seed, **BOOSTING
        )
    else:
        model = _linear(LogisticRegression(max_iter=1000))
    return model.fit(features, hits[:, 0])


def fit_gain(features: np.ndarray, hits: np.ndarray, kind: str = 'boosting', seed: int = 0) -> RegressorMixin:
    """Fit a regressor of the sweep gain; arguments and errors as for `fit_hit`, 'linear' is a ridge regression."""
    _check(hits)
    if kind == 'boosting':
        model = HistGradientBoostingRegressor(
            categorical_features=[FEATURE_NAMES.index(CATEGORY)], random_state=seed, **BOOSTING
        )
    else:
        model = _linear(Ridge())
    return model.fit(features, hits.mean(axis=1))


def predict_hit(model: ClassifierMixin, features: np.ndarray) -> np.ndarray:
    """Give P(hit) of each row of (N, F) features; (N,) float32."""
    if not len(features):
        return np.zeros(0, np.float32)
    return model.predict_proba(features)[:, 1].astype(np.float32)


def predict_gain(model: RegressorMixin, features: np.ndarray) -> np.ndarray:
    """Give the expected sweep gain of each row of (N, F) features; (N,) float32 in [0, 1]."""
    if not len(features):
        return np.zeros(0, np.float32)
    return np.clip(model.predict(features), 0, 1).astype(np.float32)


def _linear(model: ClassifierMixin | RegressorMixin) -> Any:
    """Put a column for each category and a common scale before a linear model."""
    categories = OneHotEncoder(handle_unknown='ignore'), [FEATURE_NAMES.index(CATEGORY)]
    return make_pipeline(make_column_transformer(categories, remainder=StandardScaler()), model)


def _check(hits: np.ndarray) -> None:
    at_half = hits[:, 0]
    if at_half.all() or not at_half.any():
        raise ValueError(f'{int(at_half.sum())} of {len(hits)} detections hit a true object: nothing to tell apart')
