"""From images to a filter, with what it is worth on images that it did not see."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.analysis.confidence.calibration import Calibration, calibrate
from fashion_mmdet.analysis.confidence.validation import Fold, Material, Settings, best_threshold, validate, with_scores
from fashion_mmdet.evaluation.confidence.model import ConfidenceFilter, fit_gain, fit_hit
from fashion_mmdet.evaluation.predictions import RawPrediction

MODELS = 2  # of the filter itself


@dataclass(frozen=True)
class Trained:
    """A filter fitted on all images, and the folds that tell its worth.

    Attributes:
        fitted: the filter.
        threshold: for its confidences, chosen on `unseen`.
        folds: of all repeats.
        unseen: the images, each with the confidences of the first repeat's filter that did not see it.
        before: each fold's calibration of the model's scores, held-out images.
        after: each fold's calibration of P(hit), held-out images.
        pooled: both over the folds of the first repeat: every image once.
    """

    fitted: ConfidenceFilter
    threshold: float
    folds: list[Fold]
    unseen: list[RawPrediction]
    before: list[Calibration]
    after: list[Calibration]
    pooled: tuple[Calibration, Calibration]


def train(material: Material, settings: Settings, on_fit: Callable[[], None] = lambda: None) -> Trained:
    """Try a filter on folds, then fit it on all images.

    Args:
        material: the images.
        settings: of filter and folds.
        on_fit: called after each of the `settings.fits() + MODELS` models.

    Raises:
        ValueError: too few images for the folds, or nothing to learn.
    """
    folds = validate(material, settings, on_fit)
    first = folds[: settings.folds]
    unseen = with_scores(
        material.raws,
        np.concatenate([fold.held_out for fold in first]).tolist(),
        [values for fold in first for values in fold.confidences],
    )
    threshold = best_threshold(material.engine(unseen), range(len(unseen)), material.base)
    models = []
    for fit in (fit_hit, fit_gain):
        models.append(fit(*material.rows(range(len(unseen))), settings.kind, settings.seed))
        on_fit()
    pooled = tuple(_calibrate(material, first, after) for after in (False, True))
    return Trained(
        ConfidenceFilter(*models, settings.confidence),
        threshold,
        folds,
        unseen,
        [_calibrate(material, [fold], False) for fold in folds],
        [_calibrate(material, [fold], True) for fold in folds],
        pooled,
    )


def _calibrate(material: Material, folds: list[Fold], after: bool) -> Calibration:
    """Compare the filter's P(hit), or the model's scores, with the truth of the folds' held-out images."""
    images = np.concatenate([fold.held_out for fold in folds]).tolist()
    hits = np.concatenate([material.hits(image)[:, 0] for image in images])
    if after:
        return calibrate(np.concatenate([values for fold in folds for values in fold.hits]), hits)
    return calibrate(np.concatenate([material.raws[image].scores for image in images]), hits)
