"""Which shares rise or fall over time, with intervals and a bound on false discoveries; pure functions on counts.

An image, not a garment, is the unit of sampling: two shoes of one photo say little more than one. A share of garments
is a ratio of sums over images, and its variance is that of a binomial share times the design effect (Rao and Scott
1992, "A simple method for the analysis of clustered binary data", Biometrics 48): with p = sum y / sum n over all
images,

    deff = sum (y_i - n_i p)^2 / (p (1 - p) sum n_i), at least 1.

It enters the interval of a share (Wilson's, with sum n / deff garments) and the test of a trend: the slope of the
shares on time, weighted by their denominators (Cochran and Armitage), has the variance

    phi deff p (1 - p) / sum n_t (x_t - m)^2,

where m is the weighted mean of x. phi, at least 1, is what the periods scatter about the line beyond sampling (X^2 over
T - 2, quasi-binomial, moderated over all terms): a campaign or a season moves single months, and would otherwise pass
for a trend. A bootstrap by image would not see that scatter, and takes thousands of passes over the table where this
needs sums that one query gives.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

LEAST_HITS = 20  # and as many misses; of fewer the normal approximation says little
LEAST_PERIODS = 4


@dataclass(frozen=True)
class Trends:
    """The trend of K terms over T periods; NaN where it was not tested.

    Attributes:
        share, low, high: (K, T) shares and the limits of their intervals; NaN where nothing could be counted.
        change: (K,) change of the fitted share from the first period with a denominator to the last.
        change_low, change_high: (K,) limits of its interval.
        p: (K,) two-sided p-values.
        q: (K,) p-values adjusted for all tests (Benjamini and Hochberg): taking those up to a level as trends, at most
            that share of them is false on average.
    """

    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    change: np.ndarray
    change_low: np.ndarray
    change_high: np.ndarray
    p: np.ndarray
    q: np.ndarray


def design_effect(hits: np.ndarray, totals: np.ndarray, yy: np.ndarray, yn: np.ndarray, nn: np.ndarray) -> np.ndarray:
    """Return how many times the variance of a share exceeds that of as many independent garments, at least 1.

    Args:
        hits, totals: (K,) sums of y_i and n_i over the images.
        yy, yn, nn: (K,) sums of y_i^2, y_i n_i and n_i^2.
    """
    with np.errstate(divide='ignore', invalid='ignore'):
        share = hits / totals
        between = yy - 2 * share * yn + share**2 * nn
        effect = between / (share * (1 - share) * totals)
    return np.where(np.isfinite(effect), np.maximum(effect, 1), 1)


def wilson(
    hits: np.ndarray, totals: np.ndarray, deff: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Return the limits of Wilson's interval of shares of totals / deff independent observations; NaN without any."""
    z = stats.norm.isf((1 - level) / 2)
    with np.errstate(divide='ignore', invalid='ignore'):
        share, size = hits / totals, totals / deff
        centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
        half = z / (1 + z**2 / size) * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def find_trends(
    x: np.ndarray, hits: np.ndarray, totals: np.ndarray, deff: np.ndarray | float = 1.0, level: float = 0.95
) -> Trends:
    """Estimate and test the trend of each term.

    Args:
        x: (T,) times.
        hits, totals: (..., K, T) of each term and period; what is before K is tested by itself.
        deff: (..., K) design effects.
        level: of the intervals.
    """
    deff = np.broadcast_to(deff, hits.shape[:-1])[..., None]
    low, high = wilson(hits, totals, deff, level)
    with np.errstate(divide='ignore', invalid='ignore'):
        share = hits / totals
        size = totals.sum(-1, keepdims=True)
        mean = hits.sum(-1, keepdims=True) / size
        offset = x - (totals * x).sum(-1, keepdims=True) / size
        spread = (totals * offset**2).sum(-1, keepdims=True)
        slope = (hits * offset).sum(-1, keepdims=True) / spread
        periods = (totals > 0).sum(-1, keepdims=True)
        variance = deff * mean * (1 - mean)
        residual = np.where(totals > 0, hits - totals * (mean + slope * offset), 0)
        scatter = ((residual**2 / np.maximum(totals, 1)).sum(-1) / variance[..., 0]) / (periods[..., 0] - 2)
        tested = (np.minimum(hits.sum(-1), (totals - hits).sum(-1)) >= LEAST_HITS) & (periods[..., 0] >= LEAST_PERIODS)
        scatter, freedom = (value[..., None] for value in moderate(scatter, periods[..., 0] - 2, tested))
        error = np.sqrt(np.maximum(scatter, 1) * variance / spread)
        p = np.where(tested, 2 * stats.t.sf(np.abs(slope / error), freedom)[..., 0], np.nan)
    span = np.where(totals > 0, x, -np.inf).max(-1, keepdims=True) - np.where(totals > 0, x, np.inf).min(
        -1, keepdims=True
    )
    reach = span * error * stats.t.isf((1 - level) / 2, freedom)
    change, reach = (np.where(tested, value[..., 0], np.nan) for value in (span * slope, reach))
    return Trends(share, low, high, change, change - reach, change + reach, p, adjust(p))


def moderate(scatter: np.ndarray, freedom: np.ndarray, tested: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw each term's scatter towards what the others show, as far as they agree.

    An estimate from ten degrees of freedom is rough, and a test that trusts it has little power. Smyth 2004 ("Linear
    models and empirical Bayes methods", SAGMB 3) takes the true values for draws from a scaled inverse chi-square
    distribution with d0 degrees of freedom about s0^2, estimates both from mean and variance of the logarithms, and
    adds d0 to each term's own.

    Args:
        scatter: (..., K) estimates.
        freedom: (..., K) their degrees of freedom, d.
        tested: (..., K) which to learn from.

    Returns:
        (d0 s0^2 + d scatter) / (d0 + d), and d0 + d; infinite where all agree.
    """
    tested = tested & np.isfinite(scatter)
    half, terms = np.where(tested, freedom, 2) / 2, tested.sum(-1, keepdims=True)
    logs = np.log(np.maximum(np.where(tested, scatter, 1), 1e-5)) - special.digamma(half) + np.log(half)

    def average(values: np.ndarray, less: int = 0) -> np.ndarray:
        return np.where(tested, values, 0).sum(-1, keepdims=True) / np.maximum(terms - less, 1)

    mean = average(logs)
    beyond = average((logs - mean) ** 2, 1) - average(special.polygamma(1, half))  # variance that d does not explain
    prior = np.where(beyond > 0, 2 * _inverse_trigamma(np.maximum(beyond, 1e-6)), np.inf)
    prior = np.where(terms > 2, prior, 0)
    around = np.exp(mean + np.where(np.isfinite(prior), _log_bias(prior / 2), 0))
    with np.errstate(divide='ignore'):
        weight = 1 / (1 + freedom / prior)  # 0 where the prior has no degrees of freedom, 1 where infinitely many
    return weight * around + (1 - weight) * scatter, prior + np.maximum(freedom, 1)


def _log_bias(half: np.ndarray) -> np.ndarray:
    half = np.where(np.isfinite(half) & (half > 0), half, 1)
    return special.digamma(half) - np.log(half)


def _inverse_trigamma(values: np.ndarray) -> np.ndarray:
    """Solve trigamma(y) = value by Newton's method on 1 / trigamma, which is nearly linear (Smyth 2004, appendix)."""
    y = 0.5 + 1 / values
    for _ in range(8):
        trigamma = special.polygamma(1, y)
        y = y + trigamma * (1 - trigamma / values) / special.polygamma(2, y)
    return y


def adjust(p: np.ndarray) -> np.ndarray:
    """Adjust p-values along the last axis by Benjamini and Hochberg; NaN is no test."""
    q = np.full(p.shape, np.nan)
    for index in np.ndindex(p.shape[:-1]):
        tested = ~np.isnan(p[index])
        if tested.any():
            q[index][tested] = stats.false_discovery_control(p[index][tested])
    return q
