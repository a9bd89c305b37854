"""Recall and average precision, by hand."""

import numpy as np
import pytest

from fashion_mmdet.catalogue.retrieval import Labelled, estimate, retrieval_scores, score_ranking


def test_recall_and_average_precision_of_a_ranking():
    """True ones at ranks 2 and 4: recall@1 0, recall@10 1, precision 1/2 and 2/4, mean 1/2."""
    np.testing.assert_allclose(score_ranking(np.array([False, True, False, True])), [0, 1, 0.5])
    np.testing.assert_allclose(score_ranking(np.arange(12) == 10), [0, 0, 1 / 11])
    assert np.isnan(score_ranking(np.zeros(3, bool))).all()


def test_a_garment_does_not_find_those_of_its_own_photo():
    """The nearest to (1, 0) is itself, on photo 0; then (0.8, 0.6) of label 1, then (0, 1) of label 0: rank 2."""
    every = Labelled(np.array([[1, 0], [4, 3], [0, 1]]), np.array([0, 1, 0]), np.array([0, 1, 2]))
    query = Labelled(*(one[:1] for one in every))
    np.testing.assert_allclose(retrieval_scores(query, every), [[0, 1, 0.5]])


def test_more_queries_than_a_block_are_scored_each(monkeypatch):
    monkeypatch.setattr('fashion_mmdet.catalogue.retrieval.BLOCK', 2)
    vectors = np.eye(5)
    every = Labelled(vectors, np.arange(5), np.arange(5))
    found = retrieval_scores(every, Labelled(vectors, np.arange(5), np.arange(5) + 5))
    np.testing.assert_array_equal(found, np.ones((5, 3)))


def test_the_interval_goes_over_photos_and_leaves_out_queries_without_an_answer():
    """Two photos of one query each, 0 and 1: a resample has mean 0, 0.5 or 1, with probability 1/4, 1/2, 1/4."""
    scores = np.array([[0.0], [1.0], [np.nan]])
    ((mean, low, high),) = estimate(scores, np.array([3, 7, 9]), np.random.default_rng(0))
    assert (mean, low, high) == (0.5, 0.0, 1.0)
    ((mean, low, high),) = estimate(scores[:2], np.array([3, 3]), np.random.default_rng(0))
    assert (mean, low, high) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match='no query'):
        estimate(scores[2:], np.array([9]), np.random.default_rng(0))
