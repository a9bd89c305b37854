"""Dominant colours by hand, and against scikit-image's CIELAB."""

import numpy as np
import pytest

from fashion_mmdet.catalogue.colours import (
    cluster,
    css_colours,
    dominant_colours,
    merge_near,
    nearest_names,
    sample_places,
    to_lab,
)
from tests.builders import block, encode, random_mask, random_side

RED, NAVY, WHITE = (255, 0, 0), (0, 0, 128), (255, 255, 255)


def paint(height: int, width: int, *parts: tuple[slice, slice, tuple[int, int, int]]) -> np.ndarray:
    """Paint boxes on green."""
    photo = np.full((height, width, 3), (0, 128, 0), np.uint8)
    for rows, columns, colour in parts:
        photo[rows, columns] = colour
    return photo


def test_two_halves_and_nothing_of_what_is_outside():
    """A region of 6 x 10: navy on 6 x 6, red on 6 x 4, on a green photo. Navy is L 12.97, a 47.51, b -64.70 (sRGB's
    published conversion), red 53.24, 80.09, 67.20."""
    photo = paint(9, 14, (slice(1, 7), slice(2, 8), NAVY), (slice(1, 7), slice(8, 12), RED))
    navy, red = dominant_colours(photo, encode(block(2, 1, 12, 7, (9, 14))))
    assert (navy.name, red.name) == ('navy', 'red')
    assert (navy.share, red.share) == pytest.approx((0.6, 0.4))
    assert navy[1:4] == pytest.approx((12.97, 47.51, -64.70), abs=0.1)
    assert red[1:4] == pytest.approx((53.24, 80.09, 67.20), abs=0.1)


def test_folds_of_one_dye_are_one_colour():
    """Greys of L 50 and L 56 (119 and 135) are 6 units apart, less than 12: one colour between them."""
    photo = paint(4, 4, (slice(0, 4), slice(0, 2), (119,) * 3), (slice(0, 4), slice(2, 4), (135,) * 3))
    (grey,) = dominant_colours(photo, encode(np.ones((4, 4), bool)))
    assert grey.share == 1
    assert abs(grey.L - 53.2) < 0.5
    assert grey.name == 'gray'


def test_a_button_is_left_out():
    """One white pixel in 100 has 1 %, less than 5 %."""
    photo = paint(10, 10, (slice(0, 10), slice(0, 10), NAVY), (slice(3, 4), slice(3, 4), WHITE))
    (navy,) = dominant_colours(photo, encode(np.ones((10, 10), bool)))
    assert navy.name == 'navy'


def test_no_pixel_one_pixel_and_a_mask_of_another_size():
    photo = paint(5, 3, (slice(4, 5), slice(2, 3), RED))
    assert dominant_colours(photo, encode(np.zeros((5, 3), bool))) == []
    (red,) = dominant_colours(photo, encode(block(2, 4, 3, 5, (5, 3))))
    assert (red.name, red.share) == ('red', 1)
    with pytest.raises(ValueError, match='a mask of 3x5 for a photo of 5x3'):
        dominant_colours(photo, encode(np.ones((3, 5), bool)))


def test_a_sample_gives_the_colours_of_the_whole_every_time():
    """Stripes of noise around three dyes, 40, 35 and 25 %; 2,000 of 120,000 pixels."""
    generator = np.random.default_rng(0)
    dye = generator.choice(3, (300, 400), p=[0.4, 0.35, 0.25])
    photo = np.array([(220, 20, 60), (25, 25, 112), (210, 180, 140)])[dye] + generator.integers(-8, 9, (300, 400, 3))
    photo, mask = photo.clip(0, 255).astype(np.uint8), encode(np.ones((300, 400), bool))
    some, every = dominant_colours(photo, mask), dominant_colours(photo, mask, pixels=None)
    assert [one.name for one in some] == [one.name for one in every] == ['crimson', 'midnightblue', 'tan']
    np.testing.assert_allclose([one[1:4] for one in some], [one[1:4] for one in every], atol=1)
    np.testing.assert_allclose([one.share for one in every], [0.4, 0.35, 0.25], atol=0.01)
    np.testing.assert_allclose([one.share for one in some], [one.share for one in every], atol=0.03)
    assert dominant_colours(photo, mask) == some


def test_places_lie_in_the_mask_and_all_are_taken_where_few():
    generator = np.random.default_rng(0)
    for _ in range(50):
        mask = random_mask(generator, random_side(generator), random_side(generator))
        flat = np.flatnonzero(mask.ravel(order='F'))
        starts = flat[np.diff(flat, prepend=-2) > 1]
        ends = flat[np.diff(flat, append=mask.size + 1) > 1] + 1
        np.testing.assert_array_equal(sample_places(starts, ends, None), flat)
        np.testing.assert_array_equal(sample_places(starts, ends, 10**6), flat)
        some = sample_places(starts, ends, 7)
        assert len(np.unique(some)) == len(some) == min(7, len(flat))
        assert np.isin(some, flat).all()


def test_cielab_is_that_of_scikit_image():
    color = pytest.importorskip('skimage.color')
    rgb = np.random.default_rng(0).integers(0, 256, (500, 3), np.uint8)
    np.testing.assert_allclose(to_lab(rgb), color.rgb2lab(rgb[None])[0], atol=0.4)


def test_every_css_colour_has_its_own_name():
    names, lab = css_colours()
    assert len(set(names)) == len(names) == 139
    assert nearest_names(lab) == names
    assert {'gray', 'aqua', 'fuchsia'} <= set(names)


def test_clusters_by_hand():
    """Points 0, 0, 0, 90 on a line: mean 22.5; the farthest point begins the second, and both settle at once."""
    points = np.zeros((4, 3), np.float32)
    points[3, 0] = 90
    centres, shares = cluster(points, 2)
    assert sorted(centres[:, 0].tolist()) == [0, 90]
    assert sorted(shares.tolist()) == [0.25, 0.75]
    merged, shares = merge_near(np.array([[0.0, 0, 0], [8, 0, 0], [50, 0, 0]]), np.array([0.6, 0.2, 0.2]))
    np.testing.assert_allclose(merged, [[2, 0, 0], [50, 0, 0]])  # 0.2 / 0.8 of the way to 8
    np.testing.assert_allclose(shares, [0.8, 0.2])
