"""Dominant colours of a garment: ours on a sample of its pixels and on all, scikit-learn's k-means on all."""

from collections.abc import Callable
from functools import partial

import numpy as np
from rich.progress import Progress

from fashion_mmdet.benchmarks.timing import Table, compare
from fashion_mmdet.catalogue.colours import COLOURS, PIXELS, dominant_colours, to_lab
from fashion_mmdet.masks.rle import coco_to_runs, runs_to_coco, runs_to_mask

SIZE = (1200, 800)
DYES = ((200, 30, 40), (20, 40, 120), (240, 235, 220))


def run(rounds: int, progress: Progress | None = None, size: tuple[int, int] = SIZE) -> list[Table]:
    """Find the colours of a garment of three dyes that fills a quarter of a photo."""
    contenders = {
        f'ours, {PIXELS:,} pixels': partial(prepare_ours, size, PIXELS),
        'ours, all pixels': partial(prepare_ours, size, None),
        'scikit-learn, all pixels': partial(prepare_sklearn, size),
    }
    work = f'{size[0] * size[1] // 4:,} pixels'
    note = f'A garment in a photo of {size[0]}x{size[1]}, three noisy dyes; at most {COLOURS} colours.'
    return [compare('Dominant colours', work, contenders, note, rounds, progress)]


def draw_garment(size: tuple[int, int]) -> tuple[np.ndarray, dict]:
    """Draw the photo, (H, W, 3) uint8 RGB, and the garment's COCO RLE: every column's second and third quarter, of the
    middle half of the columns."""
    generator, (height, width) = np.random.default_rng(0), size
    photo = np.array(DYES)[generator.choice(3, size, p=[0.4, 0.35, 0.25])] + generator.integers(-12, 13, (*size, 3))
    columns = np.arange(width // 4, width // 4 + width // 2) * height
    return photo.clip(0, 255).astype(np.uint8), runs_to_coco(
        (columns + height // 4, columns + height // 4 + height // 2), *size
    )


def prepare_ours(size: tuple[int, int], pixels: int | None) -> Callable[[], object]:
    """Return the call of ours."""
    return partial(dominant_colours, *draw_garment(size), pixels=pixels)


def prepare_sklearn(size: tuple[int, int]) -> Callable[[], object]:
    """Return k-means as most write it: draw the mask, convert its pixels, fit."""
    from sklearn.cluster import KMeans

    photo, mask = draw_garment(size)

    def fit() -> object:
        lab = to_lab(photo[runs_to_mask(coco_to_runs(mask), *size)])
        return KMeans(COLOURS, n_init=1, random_state=0).fit(lab).cluster_centers_

    return fit
