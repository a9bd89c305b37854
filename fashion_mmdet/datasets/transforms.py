"""Transforms that mmdet lacks: blur from the run's own seed, and shrinking by area."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import Resize
from mmdet.registry import TRANSFORMS
from mmdet.structures.mask import BitmapMasks


@TRANSFORMS.register_module()
class RandomBlur(BaseTransform):
    """Blur the image with a Gaussian now and then.

    albumentations through mmdet's `Albu` would do it too, but draws from a generator of its own that a run's seed does
    not reach: two runs of one seed would see different photos.

    Args:
        prob: share of the images that are blurred.
        sigma: smallest and largest standard deviation, in pixels.

    Raises:
        ValueError: a probability outside [0, 1], or sigmas that are not 0 < smallest <= largest.
    """

    def __init__(self, prob: float = 0.2, sigma: tuple[float, float] = (0.5, 1.5)) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'RandomBlur prob={prob}: a number from 0 to 1')
        if not 0 < sigma[0] <= sigma[1]:
            raise ValueError(f'RandomBlur sigma={sigma}: two numbers, 0 < smallest <= largest')
        self.prob, self.sigma = prob, tuple(sigma)

    def transform(self, results: dict) -> dict:
        """Blur `results['img']`, (H, W, 3); mmengine seeds NumPy's generator in every worker."""
        if np.random.rand() < self.prob:
            results['img'] = cv2.GaussianBlur(results['img'], (0, 0), np.random.uniform(*self.sigma))
        return results

    def __repr__(self) -> str:
        """Show the arguments, as mmdet's transforms do."""
        return f'{type(self).__name__}(prob={self.prob}, sigma={self.sigma})'


@TRANSFORMS.register_module()
class SmoothResize(Resize):
    """Resize by area: every pixel of a smaller image is the mean of those it covers, a mask where half is covered.

    mmdet's `Resize` samples bilinearly, which skips pixels below half size and so lets fine weaves flicker, and takes
    a mask's nearest pixel. Growing stays bilinear. As a `resize_type` it serves mmdet's `RandomResize` too.

    Args: as mmdet's `Resize`.
    """

    def _resize_img(self, results: dict) -> None:
        height, width = results['img'].shape[:2]
        self.interpolation = 'area' if self._shrinks(results['scale'], height, width) else 'bilinear'
        super()._resize_img(results)

    def _resize_masks(self, results: dict) -> None:
        if results.get('gt_masks') is None:
            return
        masks, (height, width) = results['gt_masks'], results['img_shape'][:2]
        results['gt_masks'] = BitmapMasks(smooth_resize_masks(masks.masks, height, width), height, width)

    def _shrinks(self, scale: tuple[int, int], height: int, width: int) -> bool:
        if self.keep_ratio:
            return max(scale) < max(height, width) or min(scale) < min(height, width)
        return scale[0] * scale[1] < width * height


def smooth_resize_masks(masks: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize masks: a pixel belongs to a mask where at least half of it is covered.

    Args:
        masks: (N, H, W) uint8 of 0 and 1.
        height, width: of the result, in pixels.

    Returns:
        (N, height, width) uint8 of 0 and 1.
    """
    resized = np.zeros((len(masks), height, width), np.uint8)
    shrinks = height * width < masks.shape[1] * masks.shape[2]
    for mask, out in zip(masks, resized, strict=True):
        cover = cv2.resize(mask.astype(np.float32), (width, height),
                           interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        out[:] = cover >= 0.5
    return resized
