"""Transforms that mmdet lacks: blur from the run's own seed."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from fashion_mmdet.utils.checks import SHARE, check_number, check_range


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
        check_number('RandomBlur prob', prob, SHARE)
        check_range('RandomBlur sigma', sigma)
        self.prob, self.sigma = prob, tuple(sigma)

    def transform(self, results: dict) -> dict:
        """Blur `results['img']`, (H, W, 3); mmengine seeds NumPy's generator in every worker."""
        if np.random.rand() < self.prob:
            results['img'] = cv2.GaussianBlur(results['img'], (0, 0), np.random.uniform(*self.sigma))
        return results

    def __repr__(self) -> str:
        """Show the arguments, as mmdet's transforms do."""
        return f'{type(self).__name__}(prob={self.prob}, sigma={self.sigma})'
