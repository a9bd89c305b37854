"""Transforms that mmdet lacks."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from fashion_mmdet.utils.checks import SHARE, check_number, check_range


@TRANSFORMS.register_module()
class RandomBlur(BaseTransform):
    """Blur a random share of the images with a Gaussian, reproducibly.

    albumentations in mmdet's `Albu` draws from a generator of its own, which the seed of a training does not reach.

    Args:
        prob: share of the images that are blurred, in [0, 1].
        sigma: smallest and largest standard deviation in pixels.
    """

    def __init__(self, prob: float = 0.2, sigma: tuple[float, float] = (0.5, 1.5)) -> None:
        check_number('RandomBlur prob', prob, SHARE)
        check_range('RandomBlur sigma', sigma)
        self.prob, self.sigma = prob, tuple(sigma)

    def transform(self, results: dict) -> dict:
        """Blur `img`, (H, W, 3); mmengine seeds NumPy's generator in every worker."""
        if np.random.rand() < self.prob:
            results['img'] = cv2.GaussianBlur(results['img'], (0, 0), np.random.uniform(*self.sigma))
        return results

    def __repr__(self) -> str:
        """Show the arguments, as mmdet's transforms do."""
        return f'{type(self).__name__}(prob={self.prob}, sigma={self.sigma})'
