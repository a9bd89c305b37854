"""From images to a rescorer, with what it is worth on images that it did not see. No torch, no files."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.analysis.rescorer.calibration import Calibration, calibrate
from fashion_mmdet.analysis.rescorer.validation import Fold, Material, Settings, best_threshold, validate, with_scores
from fashion_mmdet.evaluation.predictions import RawPrediction
from fashion_mmdet.evaluation.rescorer.model import Rescorer, fit_gain, fit_hit

MODELS = 2  # of the rescorer itself


@dataclass(frozen=True)
class Trained:
    """A rescorer fitted on all images, and the folds that tell its worth.

    Attributes:
        fitted: the rescorer.
        threshold: for its confidences, chosen on `unseen`.
        folds: of all repeats.
        unseen: the images, each with the confidences of the first repeat's rescorer that did not see it.
        before: each fold's calibration of the model's scores, held-out images.
        after: each fold's calibration of P(hit), held-out images.
        pooled: both over the folds of the first repeat: every image once.
    """

    fitted: Rescorer
    threshold: float
    folds: list[Fold]
    unseen: list[RawPrediction]
    before: list[Calibration]
    after: list[Calibration]
    pooled: tuple[Calibration, Calibration]


def train(material: Material, settings: Settings, on_fit: Callable[[], None] = lambda: None) -> Trained:
    """Try a rescorer on folds, then fit it on all images.

    Args:
        material: the images.
        settings: of rescorer and folds.
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
    threshold = best_threshold(material.cache(unseen), range(len(unseen)), material.base)
    models = []
    for fit in (fit_hit, fit_gain):
        models.append(fit(*material.rows(range(len(unseen))), settings.kind, settings.seed))
        on_fit()
    pooled = tuple(_calibrate(material, first, after) for after in (False, True))
    return Trained(
        Rescorer(*models, settings.confidence),
        threshold,
        folds,
        unseen,
        [_calibrate(material, [fold], False) for fold in folds],
        [_calibrate(material, [fold], True) for fold in folds],
        pooled,
    )


def _calibrate(material: Material, folds: list[Fold], after: bool) -> Calibration:
    """Compare the rescorer's P(hit), or the model's scores, with the truth of the folds' held-out images."""
    images = np.concatenate([fold.held_out for fold in folds]).tolist()
    hits = np.concatenate([material.hits(image)[:, 0] for image in images])
    if after:
        return calibrate(np.concatenate([values for fold in folds for values in fold.hits]), hits)
    return calibrate(np.concatenate([material.raws[image].scores for image in images]), hits)
