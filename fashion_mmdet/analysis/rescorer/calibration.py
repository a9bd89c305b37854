"""How far scores can be taken for probabilities of a hit."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import brier_score_loss, roc_auc_score

BINS = 10


@dataclass(frozen=True)
class Calibration:
    """Probabilities against what happened."""

    auc: float | None  # probability that a hit is ranked above a miss; None without both
    brier: float  # mean squared distance of probability and outcome
    calibration_error: float  # mean distance of probability and hit rate over the bins, weighted by count
    counts: np.ndarray  # (B,) int, detections in each bin
    predicted: np.ndarray  # (B,) float, their mean probability; NaN for an empty bin
    observed: np.ndarray  # (B,) float, the share of them that hit; NaN for an empty bin


def calibrate(probabilities: np.ndarray, hits: np.ndarray, bins: int = BINS) -> Calibration:
    """Compare probabilities with outcomes.

    Args:
        probabilities: (N,) float in [0, 1].
        hits: (N,) bool.
        bins: number of bins of equal width; 1 belongs to the last.

    Raises:
        ValueError: nothing to compare.
    """
    if not len(hits):
        raise ValueError('no detections to compare with the truth')
    probabilities = probabilities.astype(np.float64)
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid='ignore'):
        predicted, observed = (np.bincount(place, values, bins) / counts for values in (probabilities, hits))
    filled = counts > 0
    error = float(np.abs(predicted - observed)[filled] @ counts[filled] / len(hits))
    mixed = hits.any() and not hits.all()
    auc = float(roc_auc_score(hits, probabilities)) if mixed else None
    brier = float(brier_score_loss(hits, probabilities)) if mixed else float(np.mean((probabilities - hits) ** 2))
    return Calibration(auc, brier, error, counts, predicted, observed)
