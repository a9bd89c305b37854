"""Alternatives and companions, by hand."""

import numpy as np
import pytest

from fashion_mmdet.catalogue.recommend import find_alternatives, goes_with, number_terms, pick_diverse

ANGLES = np.deg2rad([0, 5, 40, -60])
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)


def test_the_nearest_first_then_what_differs():
    """Query at 0 degrees: cosines 1, 0.996, 0.766, 0.5. At relevance 0.5 and after the first (0 degrees):

    5 degrees scores (0.996 - 0.996) / 2 = 0, 40 (0.766 - 0.766) / 2 = 0, -60 0: all tie, the earlier wins. With
    relevance 0.4, 0.4 s - 0.6 s = -0.2 s is largest for -60 (-0.1); then 5: 0.398 - 0.6 * 0.996 = -0.199,
    40: 0.306 - 0.6 * 0.766 = -0.153. At 1 the order is that of similarity.
    """
    similarity = VECTORS[:, 0]
    assert pick_diverse(similarity, VECTORS, 2, 0.4).tolist() == [0, 3]
    assert pick_diverse(similarity, VECTORS, 9, 0.4).tolist() == [0, 3, 2, 1]
    assert pick_diverse(similarity, VECTORS, 4, 1).tolist() == [0, 1, 2, 3]
    assert pick_diverse(np.empty(0), np.empty((0, 2)), 3).tolist() == []


def test_a_second_copy_is_not_offered_before_something_else():
    """Copies at 10 degrees and one at -20: after the first copy the second scores 0.7 * 0.985 - 0.3 * 1 = 0.389, the
    other 0.7 * 0.940 - 0.3 * cos 30 = 0.398."""
    angles = np.deg2rad([10, 10, -20])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert pick_diverse(vectors[:, 0], vectors, 3).tolist() == [0, 2, 1]


def test_alternatives_are_in_stock_and_of_the_category():
    """Of the four, 0 is another category and 1 is sold out; -60 degrees has a cosine of 0.5, below the least asked."""
    options = dict(same_category=np.array([False, True, True, True]), in_stock=np.array([True, False, True, True]))
    query = np.array([3.0, 0])  # of any length
    assert find_alternatives(query, VECTORS, count=5, **options).tolist() == [2, 3]
    assert find_alternatives(query, VECTORS, count=5, least_similarity=0.6, **options).tolist() == [2]
    assert find_alternatives(query, VECTORS, count=0, **options).tolist() == []


def expand(*sets: str) -> tuple[np.ndarray, np.ndarray]:
    """Turn one text a photo, a letter a term, into rows: a is term 0."""
    rows = [(photo, ord(letter) - ord('a')) for photo, letters in enumerate(sets) for letter in letters]
    photos, terms = np.array(rows).T
    return photos, terms


def test_lift_by_hand():
    """20 photos: 6 ab, 2 a, 2 b, 10 c. P(ab) = 0.3, P(a) = P(b) = 0.4: lift 0.3 / 0.16 = 1.875.

    The variance of its logarithm is 1/6 - 1/8 + 1/8 - 1/20 = 0.11667, 1.96 errors are 0.66945: a factor of 1.95318.
    """
    found = goes_with(*expand(*['ab'] * 6, *['a'] * 2, *['bb'] * 2, *['c'] * 10), term=0)
    assert [(one.term, one.together) for one in found] == [(1, 6)]
    assert found[0].lift == pytest.approx(1.875)
    assert found[0].low == pytest.approx(1.875 / 1.95318, rel=1e-4)
    assert found[0].high == pytest.approx(1.875 * 1.95318, rel=1e-4)


def test_what_is_sure_comes_before_what_is_rare():
    """Of 300 photos, a is on 100: with b on 60 of b's 90 (lift 60 * 300 / 9000 = 2), with c on 5 of c's 5 (lift 3).

    log c: 1/5 - 1/100 + 1/5 - 1/300 = 0.38667, lower limit 3 / exp(1.96 * 0.62183) = 0.887; log b: 1/60 - 1/100 + 1/90
    - 1/300 = 0.01444, lower limit 2 / exp(1.96 * 0.12019) = 1.580. d, four times with a, is left out.
    """
    photos = ['ab'] * 60 + ['ac'] * 5 + ['ad'] * 4 + ['a'] * 31 + ['b'] * 30 + ['e'] * 170
    found = goes_with(*expand(*photos), term=0)
    assert [one.term for one in found] == [1, 2]
    assert [one.lift for one in found] == pytest.approx([2, 3])
    assert [one.low for one in found] == pytest.approx([1.580, 0.887], abs=1e-3)
    assert [one.term for one in goes_with(*expand(*photos), term=0, least_together=4)] == [1, 2, 3]


def test_no_photo_no_companion():
    assert goes_with(np.empty(0, int), np.empty(0, int), term=3) == []
    assert goes_with(*expand('ab', 'b'), term=7) == []
    assert goes_with(*expand('a', 'a'), term=0, least_together=0) == []


def test_names_are_numbered():
    numbers, names = number_terms(['shoe', 'coat', 'shoe'])
    assert [names[number] for number in numbers] == ['shoe', 'coat', 'shoe']
