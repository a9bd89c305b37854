"""Blur and smooth resizing, against plain loops and by hand."""

import cv2
import numpy as np
import pytest
from mmdet.registry import TRANSFORMS
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.registry import init_default_scope

from fashion_mmdet.datasets.transforms import RandomBlur, SmoothResize, smooth_resize_masks


def make_results(image: np.ndarray, masks: np.ndarray) -> dict:
    height, width = image.shape[:2]
    boxes = np.array([[0, 0, width, height]] * len(masks), np.float32).reshape(-1, 4)
    return dict(img=image, img_shape=(height, width), gt_masks=BitmapMasks(masks, height, width),
                gt_bboxes=HorizontalBoxes(boxes))


def test_a_shrunken_pixel_is_the_mean_of_those_it_covers():
    """4x6 halved: each pixel is the mean of a 2x2 block."""
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    result = SmoothResize(scale=(3, 2), keep_ratio=True)(make_results(image, np.zeros((0, 4, 6), np.uint8)))
    means = image.reshape(2, 2, 3, 2, 3).astype(float).mean(axis=(1, 3))
    assert result['img'].shape == (2, 3, 3)
    np.testing.assert_allclose(result['img'], means, atol=0.5)


def test_a_thin_stripe_survives_in_the_image_where_bilinear_skips_it():
    """One white column in 8, shrunk 8 times: area gives 255 / 8 = 32; bilinear looks at columns 3 and 4 only."""
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 0] = 255
    results = make_results(image, np.zeros((0, 8, 8), np.uint8))
    assert SmoothResize(scale=(1, 1), keep_ratio=True)(results.copy())['img'].ravel().tolist() == [32, 32, 32]
    plain = TRANSFORMS.build(dict(type='Resize', scale=(1, 1), keep_ratio=True))
    assert plain(results.copy())['img'].ravel().tolist() == [0, 0, 0]


def test_a_mask_is_where_a_pixel_is_at_least_half_covered():
    """Blocks of 2x2 with 0, 1, 2, 4 pixels set: cover 0, 0.25, 0.5, 1."""
    mask = np.array([[0, 0, 1, 0, 1, 1, 1, 1],
                     [0, 0, 0, 0, 0, 0, 1, 1]], np.uint8)
    np.testing.assert_array_equal(smooth_resize_masks(mask[None], 1, 4), [[[0, 0, 1, 1]]])


@pytest.mark.parametrize(('shape', 'size'), [((37, 23), (11, 7)), ((64, 48), (16, 12)), ((9, 50), (3, 20))])
def test_mask_cover_equals_the_integral_over_each_pixel(shape: tuple[int, int], size: tuple[int, int]):
    """Every pixel's cover summed exactly from the source pixels' overlaps; where it is clear of 0.5 the mask agrees."""
    mask = (np.random.default_rng(1).random(shape) < 0.5).astype(np.uint8)

    def overlaps(source: int, target: int) -> np.ndarray:
        edges = np.arange(target + 1) * source / target
        rows = [[max(0.0, min(edges[t + 1], s + 1) - max(edges[t], s)) for s in range(source)] for t in range(target)]
        return np.array(rows) / (source / target)
    cover = overlaps(shape[0], size[0]) @ mask @ overlaps(shape[1], size[1]).T
    clear = np.abs(cover - 0.5) > 1e-3
    np.testing.assert_array_equal(smooth_resize_masks(mask[None], *size)[0][clear], (cover >= 0.5)[clear])
    assert clear.mean() > 0.5  # 8 of 16 pixels, exactly half, is common when shrinking by 4


def test_growing_is_bilinear_and_boxes_and_masks_follow_the_image():
    image = np.random.default_rng(2).integers(0, 256, (6, 4, 3), np.uint8)
    masks = np.zeros((1, 6, 4), np.uint8)
    masks[0, 2:4, 1:3] = 1
    result = SmoothResize(scale=(8, 12), keep_ratio=True)(make_results(image, masks))
    np.testing.assert_array_equal(result['img'], cv2.resize(image, (8, 12), interpolation=cv2.INTER_LINEAR))
    assert result['gt_masks'].masks.shape == (1, 12, 8)
    rows, columns = np.nonzero(result['gt_masks'].masks[0])
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (4, 7, 2, 5)
    np.testing.assert_allclose(result['gt_bboxes'].numpy(), [[0, 0, 8, 12]])


def test_the_aspect_ratio_is_kept():
    """60x30 into 20x20: 20x10."""
    result = SmoothResize(scale=(20, 20), keep_ratio=True)(
        make_results(np.zeros((60, 30, 3), np.uint8), np.ones((2, 60, 30), np.uint8)))
    assert result['img'].shape == (20, 10, 3)
    assert result['gt_masks'].masks.shape == (2, 20, 10)
    assert result['gt_masks'].masks.all()


def test_random_resize_takes_it_as_its_resize_type():
    init_default_scope('mmdet')
    transform = TRANSFORMS.build(dict(
        type='RandomResize', scale=(20, 20), ratio_range=(0.5, 0.5), keep_ratio=True, resize_type='SmoothResize'))
    result = transform(make_results(np.zeros((60, 30, 3), np.uint8), np.ones((1, 60, 30), np.uint8)))
    assert result['gt_masks'].masks.shape == (1, 10, 5)


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
