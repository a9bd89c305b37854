"""What to show beside a garment: alternatives to one that is sold out, and what goes with it; pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEAST_TOGETHER = 5


def pick_diverse(similarity: np.ndarray, vectors: np.ndarray, count: int, relevance: float = 0.7) -> np.ndarray:
    """Pick candidates that are near the query and unlike each other, by maximal marginal relevance.

    Each step takes the candidate of the largest

        relevance * similarity to the query - (1 - relevance) * largest similarity to one already taken

    (Carbonell and Goldstein 1998, "The use of MMR", SIGIR), so the first is the nearest; ties go to the earlier.

    Args:
        similarity: (N,) cosines to the query.
        vectors: (N, D) of length 1.
        count: how many to pick; all where there are fewer.
        relevance: in [0, 1]; 1 ranks by similarity alone.

    Returns:
        Positions of the picked, in order.
    """
    value = relevance * np.asarray(similarity, np.float64)
    vectors = np.asarray(vectors, np.float64)
    nearest, left, picked = np.zeros(len(value)), np.ones(len(value), bool), []
    for _ in range(min(count, len(value))):
        best = int(np.argmax(np.where(left, value - (1 - relevance) * nearest, -np.inf)))
        similar = vectors @ vectors[best]
        nearest = np.maximum(nearest, similar) if picked else similar
        picked.append(best)
        left[best] = False
    return np.array(picked, np.int64)


def find_alternatives(
    query: np.ndarray,
    vectors: np.ndarray,
    *,
    same_category: np.ndarray,
    in_stock: np.ndarray,
    count: int,
    relevance: float = 0.7,
    least_similarity: float = -1.0,
) -> np.ndarray:
    """Find garments to offer instead of one that is sold out.

    Args:
        query: (D,) embedding of the garment.
        vectors: (N, D) embeddings of the candidates, of length 1, such as the nearest few hundred of a store.
        same_category, in_stock: (N,) bool; others are never offered.
        count: how many at most.
        relevance: of nearness against diversity, see `pick_diverse`.
        least_similarity: of a candidate to the garment; diversity must not reach for what is unlike it.

    Returns:
        Positions of the alternatives, the best first.
    """
    vectors = np.asarray(vectors, np.float64)
    similarity = vectors @ (np.asarray(query, np.float64) / (np.linalg.norm(query) or 1))
    eligible = np.flatnonzero(same_category & in_stock & (similarity >= least_similarity))
    return eligible[pick_diverse(similarity[eligible], vectors[eligible], count, relevance)]


@dataclass(frozen=True)
class Companion:
    """A term that comes together with another on photos.

    Attributes:
        term: its number.
        together: photos with both.
        lift: how many times as often as by chance: P(both) / (P(one) P(other)).
        low, high: limits of its 95 % interval.
    """

    term: int
    together: int
    lift: float
    low: float
    high: float


def goes_with(
    photos: np.ndarray, terms: np.ndarray, term: int, least_together: int = LEAST_TOGETHER, level: float = 0.95
) -> list[Companion]:
    """Rank what comes with a term on photos, by the lower limit of its lift.

    Ranking by lift itself would put chance first: of a term on two photos, both with a coat, the lift is as large as
    that of coats allows. The interval is Katz's for a ratio of shares, on the logarithm: with k photos of n that have
    both, a the one and b the other, lift = k n / (a b), and its logarithm has the variance 1/k - 1/a + 1/b - 1/n.

    Args:
        photos, terms: (R,) non-negative numbers: that photo has that term (a category, say, or category and colour);
            repeated rows count once.
        term: whose companions are wanted.
        least_together: photos with both that a companion must have.
        level: of the interval.

    Returns:
        The companions, the largest lower limit first; none of the term itself.
    """
    pairs = np.unique(np.stack([photos, terms], axis=1), axis=0) if len(photos) else np.empty((0, 2), np.int64)
    total = len(np.unique(pairs[:, 0]))
    counts = np.bincount(pairs[:, 1], minlength=term + 1)
    own = pairs[pairs[:, 1] == term, 0]
    together = np.bincount(pairs[np.isin(pairs[:, 0], own), 1], minlength=len(counts))
    together[term] = 0
    found = np.flatnonzero(together >= max(least_together, 1))
    k, a, b = together[found], counts[term], counts[found]
    lift = k * total / (a * b)
    error = np.sqrt(np.maximum(1 / k - 1 / a + 1 / b - 1 / max(total, 1), 0)) if a else np.zeros(0)
    reach = np.exp(stats.norm.isf((1 - level) / 2) * error)
    order = np.lexsort((-lift, -lift / reach))
    return [
        Companion(
            int(found[row]), int(k[row]), float(lift[row]), float(lift[row] / reach[row]), float(lift[row] * reach[row])
        )
        for row in order
    ]


def number_terms(names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Number names for `goes_with`: (R,) numbers and the names in their order."""
    known, numbers = np.unique(np.asarray(names, str), return_inverse=True)
    return numbers, known.tolist()
