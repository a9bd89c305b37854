"""How far scores can be taken for probabilities of a hit."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import brier_score_loss, roc_auc_score

BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Probabilities against what happened.

    Attributes:
        auc: probability that a hit is ranked above a miss; None without both.
        brier: mean squared distance of probability and outcome.
        calibration_error: mean distance of probability and hit rate over equal bins of probability, weighted by count.
        counts: (B,) int, detections in each bin.
        predicted: (B,) float, their mean probability; NaN for an empty bin.
        observed: (B,) float, the share of them that hit; NaN for an empty bin.
    """

    auc: float | None
    brier: float
    calibration_error: float
    counts: np.ndarray
    predicted: np.ndarray
    observed: np.ndarray


def calibrate(probabilities: np.ndarray, hits: np.ndarray, bins: int = BINS) -> Calibration:
    """Compare probabilities with outcomes.

    Args:
        probabilities: (N,) float in [0, 1].
        hits: (N,) bool.
        bins: of equal width; 1 belongs to the last.

    Raises:
        ValueError: nothing to compare.
    """
    if not len(hits):
        raise ValueError('no detections to compare with the truth')
    probabilities = probabilities.astype(np.float64)
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid='ignore'):
        predicted = np.bincount(place, probabilities, bins) / counts
        observed = np.bincount(place, hits, bins) / counts
    filled = counts > 0
    error = float(np.abs(predicted - observed)[filled] @ counts[filled] / len(hits))
    mixed = hits.any() and not hits.all()
    return Calibration(
        float(roc_auc_score(hits, probabilities)) if mixed else None,
        float(brier_score_loss(hits, probabilities)) if mixed else float(np.mean((probabilities - hits) ** 2)),
        error,
        counts,
        predicted,
        observed,
    )
