"""Polygons along pixel edges: nothing is lost, whatever the mask."""

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from fashion_mmdet.masks.polygons import Polygon, mask_to_polygons
from tests.builders import random_mask, random_side


def fill(polygons: list[Polygon], height: int, width: int) -> np.ndarray:
    """Fill by the even-odd rule as told by the centres of the pixels, with matplotlib: an edge crossing at a time."""
    y, x = np.mgrid[:height, :width] + 0.5
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    inside = np.zeros(height * width, bool)
    for polygon in polygons:
        for ring in (polygon.outer, *polygon.holes):
            inside ^= Outline(np.append(ring, ring[:1], axis=0), closed=True).contains_points(centres)
    return inside.reshape(height, width)


def test_a_ring_has_an_outer_ring_and_a_hole():
    """3x3 without its centre: corners (0, 0), (3, 0), (3, 3), (0, 3), the hole from (1, 1) to (2, 2)."""
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    ((outer, holes),) = mask_to_polygons(mask)
    assert {tuple(corner) for corner in outer.tolist()} == {(0, 0), (3, 0), (3, 3), (0, 3)}
    assert [{tuple(corner) for corner in hole.tolist()} for hole in holes] == [{(1, 1), (2, 1), (2, 2), (1, 2)}]


def test_an_island_in_a_hole_is_a_part_of_its_own():
    mask = np.ones((7, 7), bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    assert sorted(len(polygon.holes) for polygon in mask_to_polygons(mask)) == [0, 1]
    np.testing.assert_array_equal(fill(mask_to_polygons(mask), 7, 7), mask)


def test_pixels_that_touch_at_a_corner_are_one_part():
    (polygon,) = mask_to_polygons(np.eye(2, dtype=bool))
    assert sorted(map(tuple, polygon.outer.tolist())) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
        (1, 1),
        (1, 2),
        (2, 1),
        (2, 2),
    ]


def test_an_empty_mask_has_no_polygons():
    assert mask_to_polygons(np.zeros((3, 4), bool)) == []


@pytest.mark.parametrize('seed', range(60))
def test_any_mask_comes_back_to_the_pixel(seed: int):
    generator = np.random.default_rng(seed)
    height, width = random_side(generator), random_side(generator)
    mask = random_mask(generator, height, width)
    np.testing.assert_array_equal(fill(mask_to_polygons(mask), height, width), mask)
