"""Seven masks of a large photo to 512 px: as runs, and decoded by pycocotools and resized by OpenCV."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from pycocotools import mask as coco
from rich.progress import Progress

from fashion_mmdet.benchmarks.loader import SCALE, SIZE
from fashion_mmdet.benchmarks.photos import make_masks
from fashion_mmdet.benchmarks.timing import HEADER, Contender, Table, measure, to_rows
from fashion_mmdet.masks.rle import resize, stack_coco


def run(
    rounds: int, progress: Progress | None = None, size: tuple[int, int] = SIZE, memory: bool = True
) -> list[Table]:
    """Measure; a table.

    Args:
        rounds: timed calls of each contender.
        progress: shows how far it is.
        size: H, W of the masks.
        memory: also measure peak memory, which takes a process each.
    """
    ratio = max(SCALE) / max(size)
    new_size = (round(size[0] * ratio), round(size[1] * ratio))
    measured = measure(
        [
            Contender('ours, as runs', partial(prepare_runs, size, new_size)),
            Contender('pycocotools decode + cv2.resize', partial(prepare_bitmaps, size, new_size)),
        ],
        rounds,
        memory,
        progress,
    )
    work = f'7 masks, {size[0]}x{size[1]} to {new_size[0]}x{new_size[1]}'
    return [Table('Masks', HEADER, to_rows(work, measured), 'From COCO RLE; the same pixels (INTER_NEAREST).')]


def prepare_runs(size: tuple[int, int], new_size: tuple[int, int]) -> Callable[[], object]:
    """Make the masks; the call scales their runs."""
    masks = make_masks(*size)
    return lambda: resize(stack_coco(masks, *size), size, new_size, len(masks))


def prepare_bitmaps(size: tuple[int, int], new_size: tuple[int, int]) -> Callable[[], np.ndarray]:
    """Make the masks; the call decodes and resizes them, one after the other."""
    masks = make_masks(*size)

    def scale() -> np.ndarray:
        return np.stack(
            [cv2.resize(coco.decode(mask), new_size[::-1], interpolation=cv2.INTER_NEAREST) for mask in masks]
        )

    return scale
