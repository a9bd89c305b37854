"""Seven masks of a large photo to 512 px: as run lengths, and decoded by pycocotools and resized by OpenCV."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from pycocotools import mask as coco
from rich.progress import Progress

from fashion_mmdet.benchmarks.loader import SCALE, SIZE
from fashion_mmdet.benchmarks.photos import make_masks
from fashion_mmdet.benchmarks.timing import Table, compare
from fashion_mmdet.masks.rle import resize, stack_coco


def run(
    rounds: int, progress: Progress | None = None, size: tuple[int, int] = SIZE, memory: bool = True
) -> list[Table]:
    """Measure with masks of a size (H, W); see `timing.measure`."""
    ratio = max(SCALE) / max(size)
    new_size = (round(size[0] * ratio), round(size[1] * ratio))
    contenders = {
        'ours, as runs': partial(prepare_runs, size, new_size),
        'pycocotools decode + cv2.resize': partial(prepare_bitmaps, size, new_size),
    }
    work = f'7 masks, {size[0]}x{size[1]} to {new_size[0]}x{new_size[1]}'
    note = 'From COCO RLE; the same pixels (INTER_NEAREST).'
    return [compare('Masks', work, contenders, note, rounds, progress, memory)]


def prepare_runs(size: tuple[int, int], new_size: tuple[int, int]) -> Callable[[], object]:
    """Make the masks; the call scales their runs."""
    masks = make_masks(*size)
    return lambda: resize(stack_coco(masks, *size), size, new_size, len(masks))


def prepare_bitmaps(size: tuple[int, int], new_size: tuple[int, int]) -> Callable[[], np.ndarray]:
    """Make the masks; the call decodes and resizes them, one after the other."""
    masks, shape = make_masks(*size), new_size[::-1]
    return lambda: np.stack([cv2.resize(coco.decode(one), shape, interpolation=cv2.INTER_NEAREST) for one in masks])
