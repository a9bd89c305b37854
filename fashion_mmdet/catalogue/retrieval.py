"""How well a search finds: recall and mean average precision of queries on a gallery, with intervals."""

from typing import NamedTuple

import numpy as np

from fashion_mmdet.catalogue.embeddings import to_unit

RECALLS = (1, 10)
SCORES = (*(f'recall@{k}' for k in RECALLS), 'mAP')
BLOCK = 256  # queries at once: their similarities to the gallery are in memory


class Labelled(NamedTuple):
    """Described garments.

    Attributes:
        vectors: (N, d) descriptors; near is alike, by the cosine.
        labels: (N,) int; equal ones should find each other.
        photos: (N,) int, the photo that each is on.
    """

    vectors: np.ndarray
    labels: np.ndarray
    photos: np.ndarray


def retrieval_scores(queries: Labelled, gallery: Labelled) -> np.ndarray:
    """Search the gallery with each query, its own photo left out.

    Returns:
        (Q, 3) float: recall@1 and recall@10, which is 1 where one of the first is of the query's label, and average
        precision, the mean over the true ones of the share of true ones up to each. NaN where the gallery has none.
        Ties keep the gallery's order.
    """
    scores = np.full((len(queries.labels), len(SCORES)), np.nan)
    pool = to_unit(gallery.vectors.astype(np.float32))
    for start in range(0, len(scores), BLOCK):
        part = slice(start, start + BLOCK)
        similarity = to_unit(queries.vectors[part].astype(np.float32)) @ pool.T
        for row, photo, label in zip(
            range(start, len(scores)), queries.photos[part], queries.labels[part], strict=False
        ):
            order = np.argsort(-similarity[row - start], kind='stable')
            order = order[gallery.photos[order] != photo]
            scores[row] = score_ranking(gallery.labels[order] == label)
    return scores


def score_ranking(hits: np.ndarray) -> np.ndarray:
    """Score one ranking.

    Args:
        hits: (G,) bool, best first.

    Returns:
        Recalls and average precision, (3,) float; NaN without a hit.
    """
    ranks = np.flatnonzero(hits) + 1
    if not ranks.size:
        return np.full(len(SCORES), np.nan)
    precision = np.arange(1, ranks.size + 1) / ranks
    return np.array([*(float(ranks[0] <= k) for k in RECALLS), precision.mean()])


class Estimate(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def estimate(scores: np.ndarray, groups: np.ndarray, rng: np.random.Generator, rounds: int = 2000) -> list[Estimate]:
    """Average scores over queries; percentile bootstrap over groups, since queries of one photo are not independent.

    Args:
        scores: (Q, S) float; rows of NaN are left out.
        groups: (Q,) int, such as the photo of each query.
        rng: draws the resamples.
        rounds: how many.

    Raises:
        ValueError: no query has an answer in the gallery.
    """
    known = ~np.isnan(scores).any(axis=1)
    if not known.any():
        raise ValueError('no query has a garment of its label in the gallery')
    scores, (_, group) = scores[known], np.unique(groups[known], return_inverse=True)
    counts = np.bincount(group)
    sums = np.stack([np.bincount(group, column) for column in scores.T], axis=1)  # (groups, S)
    drawn = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), rounds)  # (rounds, groups)
    means = drawn @ sums / (drawn @ counts)[:, None]
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return [Estimate(*map(float, one)) for one in zip(scores.mean(axis=0), low, high, strict=True)]
