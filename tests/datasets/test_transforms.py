"""Blur, by hand and against OpenCV."""

import cv2
import numpy as np
import pytest

from fashion_mmdet.datasets.transforms import RandomBlur


def test_blur_follows_numpys_seed_and_keeps_to_its_share():
    """Of 400 images about 0.2 * 400 = 80 are blurred; the standard deviation is sqrt(400 * 0.2 * 0.8) = 8."""
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)

    def run() -> list[np.ndarray]:
        np.random.seed(0)
        blur = RandomBlur(prob=0.2)
        return [blur(dict(img=image))['img'] for _ in range(400)]

    first, second = run(), run()
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    assert 48 <= sum((one != image).any() for one in first) <= 112


def test_blur_is_a_gaussian_of_the_drawn_width():
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    result = RandomBlur(prob=1.0, sigma=(1.2, 1.2))(dict(img=image))
    np.testing.assert_array_equal(result['img'], cv2.GaussianBlur(image, (0, 0), 1.2))


@pytest.mark.parametrize('options', [dict(prob=1.5), dict(prob=-0.1), dict(sigma=(0.0, 1.0)), dict(sigma=(2.0, 1.0))])
def test_impossible_options_are_refused(options: dict):
    with pytest.raises(ValueError, match='RandomBlur'):
        RandomBlur(**options)
