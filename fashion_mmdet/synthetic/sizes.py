"""Image sizes: one for all, or as mixed as the competition's."""

import numpy as np

from fashion_mmdet.utils.checks import Interval

SIDE_PX = Interval(32, 32_000, whole=True)  # OpenCV warps no image with a side beyond 32,767


def imaterialist_size(rng: np.random.Generator) -> tuple[int, int]:
    """Draw a height and a width as the competition's photos might have them.

    Known of its 45,625 training images: 10,730 distinct sizes, the commonest 3000 x 2000 (height x width), the
    largest 6824 x 10717, photos upright for the most part. The rest of this approximation is a guess that keeps to
    that: 22 % are 3000 x 2000, 15 % other usual prints (1500 x 1000, 1024 x 683, 4000 x 3000 ...), 1 in 20,000 is the
    largest; all others have a log-normal area about 5.5 megapixels (sigma 0.7) and a ratio of width to height about
    0.68 (three in four), 0.85 (one in ten) or 1.48 (the others). The median area is near 6 megapixels.
    """
    kind = rng.uniform()
    if kind < 1 / 20_000:
        return 6824, 10717
    if kind < 0.22:
        return 3000, 2000
    if kind < 0.37:
        usual = ((1500, 1000), (1024, 683), (4000, 3000), (3600, 2400), (4500, 3000), (2048, 1365), (2000, 3000))
        return usual[rng.integers(len(usual))]
    ratio = rng.choice((0.68, 0.85, 1.48), p=(0.75, 0.10, 0.15)) * np.exp(rng.normal(0, 0.05))
    area_px = np.clip(5.5e6 * np.exp(rng.normal(0, 0.7)), 2.5e5, 5e7)
    return round(np.sqrt(area_px / ratio)), round(np.sqrt(area_px * ratio))
