"""Differences of scores with intervals that hold for other photos and for other seeds.

The model: crossed random effects. The score of photo i under config c trained with seed s is

    y = config_c + photo_i + (config x photo)_ci + seed_cs + residual_csi

Photos are crossed with everything, seeds belong to their config. A difference of two configs' means over S seeds each
and N photos has the variance

    2 var(config x photo) / N  +  var(seed) (1/S + 1/S)  +  var(residual) (1/S + 1/S) / N

Three mean squares estimate it: the spread of the photos' differences holds the first and third term, the spread of the
seeds' means the second and third, the residuals the third, which must count once. The sum's degrees of freedom follow
Satterthwaite (Biometrics Bulletin 2, 1946). Two or three seeds are too few for a bootstrap over seeds, whose spread is
too small by (S - 1) / S and which has no t quantile. Hence the spread between seeds is pooled over all configs that
were scored on the same photos, as in an analysis of variance; it assumes that all of them vary alike.

Functions take arrays (..., S, N) and calculate for all leading axes at once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """Mean difference of the scores of the same images, and the bounds of its 95 % interval.

    Attributes:
        mean, low, high: of the scores.
        images: number of images.
        seed_degrees: degrees of freedom of the spread between seeds; 0 where the interval holds for other photos only.
    """

    mean: float
    low: float
    high: float
    images: int
    seed_degrees: int = 0


def standard_error(scores: Sequence[float]) -> float | None:
    """Return the standard error of the mean, sample deviation / sqrt(N); None for fewer than two."""
    return float(np.std(scores, ddof=1)) / math.sqrt(len(scores)) if len(scores) > 1 else None


def estimate_seed_spread(groups: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Pool the mean squares between seeds over configs.

    Args:
        groups: for each config (..., S, N) scores; S may differ and be 1.

    Returns:
        Variance of a run's score between seeds for these photos, which is var(seed) + var(residual) / N; the part of
        the residual in it; degrees of freedom, 0 (and variances 0) where no config has two seeds.
    """
    leading, images = groups[0].shape[:-2], groups[0].shape[-1]
    between, residual, degrees = np.zeros(leading), np.zeros(leading), 0
    for scores in groups:
        centred = scores - scores.mean(axis=-2, keepdims=True)  # without config, photo and config x photo
        seeds = centred.mean(axis=-1, keepdims=True)
        between += (seeds**2).sum(axis=(-2, -1))
        residual += ((centred - seeds) ** 2).sum(axis=(-2, -1))
        degrees += scores.shape[-2] - 1
    if not degrees:
        return between, residual, 0
    return between / degrees, residual / (degrees * (images - 1)) / images, degrees


def difference_interval(
    before: np.ndarray, after: np.ndarray, others: Sequence[np.ndarray] = ()
) -> tuple[np.ndarray, np.ndarray, int]:
    """Compare two configs by the scores of the same N photos, two at least.

    Args:
        before, after: (..., S, N) scores of S seeds; S may differ.
        others: of further configs, for the spread between seeds.

    Returns:
        Mean difference, half the width of its 95 % interval, and the degrees of freedom of the spread between seeds.
        Where these are 0 the interval is Student's t on the N differences and holds for other photos alone.
    """
    images = before.shape[-1]
    by_photo = after.mean(axis=-2) - before.mean(axis=-2)
    photos = by_photo.var(axis=-1, ddof=1) / images
    between, residual, degrees = estimate_seed_spread([before, after, *others])
    if not degrees:
        t = stats.t.ppf((1 + CONFIDENCE) / 2, images - 1)
        return by_photo.mean(axis=-1), t * np.sqrt(photos), 0
    weight = 1 / before.shape[-2] + 1 / after.shape[-2]
    seeds, shared = weight * between, weight * residual
    # No less than either part alone: the sum of the three may even turn out negative.
    variance = np.maximum(photos + seeds - shared, np.maximum(photos, seeds))
    squares = photos**2 / (images - 1) + seeds**2 / degrees + shared**2 / (degrees * (images - 1))
    free = np.divide(variance**2, squares, out=np.full_like(variance, images - 1), where=squares > 0)
    free = np.maximum(free, min(degrees, images - 1))  # a sum has no fewer than the poorest of its parts
    return by_photo.mean(axis=-1), stats.t.ppf((1 + CONFIDENCE) / 2, free) * np.sqrt(variance), degrees


def paired_difference(
    before: Sequence[Mapping[str, float]],
    after: Sequence[Mapping[str, float]],
    others: Sequence[Sequence[Mapping[str, float]]] = (),
) -> Difference:
    """Compare two configs image by image, see `difference_interval`.

    Pairing takes out what is hard or easy about an image, so that far smaller differences show than the two standard
    errors would allow.

    Args:
        before, after: for each seed, the score of every image.
        others: of further configs, over the same images.
    """
    images = list(before[0])
    groups = [np.array([[run[image] for image in images] for run in group]) for group in (before, after, *others)]
    mean, reach, degrees = difference_interval(groups[0], groups[1], groups[2:])
    return Difference(float(mean), float(mean - reach), float(mean + reach), len(images), degrees)
