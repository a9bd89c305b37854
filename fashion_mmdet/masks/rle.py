"""Run-length masks: the competition's runs, COCO RLE, and nearest-neighbour scaling without a bitmap.

Three forms of the same (H, W) mask, all column-major (down the columns first):

- Kaggle text: `start length start length ...`, 1-based.
- runs: two int64 arrays, `starts` and `ends`, 0-based and half open, sorted, neither touching nor overlapping.
- COCO RLE: `{'size': [H, W], 'counts': str}`, the compressed string of pycocotools (as str, which mmdet needs: it
  ignores RLE with bytes).
"""

import re
from collections.abc import Sequence

import numpy as np

from fashion_mmdet.masks.rle_batch import checked_edges, edges_to_coco
from fashion_mmdet.masks.transform import Runs, crop, flip, merge_runs, nearest_source, resize

__all__ = [
    'Runs',
    'area',
    'bounding_box',
    'coco_to_runs',
    'crop',
    'flip',
    'kaggle_to_runs',
    'last_pixel',
    'mask_to_runs',
    'merge_runs',
    'nearest_source',
    'parse_kaggle',
    'resize',
    'resize_coco',
    'runs_to_coco',
    'runs_to_kaggle',
    'runs_to_mask',
    'stack_coco',
    'subtract',
    'unite',
]

NUMBERS = re.compile(r'[\s0-9-]*', re.ASCII)  # numpy alone would take 1_0, +1 and digits of other scripts


def parse_kaggle(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the competition's runs as they stand, without sorting or checking them against an image.

    Returns:
        starts, lengths: int64, 0-based starts.

    Raises:
        ValueError: an odd count of numbers, or something that is no whole number.
    """
    try:
        if not NUMBERS.fullmatch(text):
            raise ValueError
        numbers = np.array(text.split(), dtype=np.int64)
    except (ValueError, OverflowError):
        raise ValueError(f'runs hold something that is no whole number: {text[:40]!r}') from None
    if numbers.size % 2:
        raise ValueError(f'{numbers.size} numbers, but runs are pairs of start and length')
    return numbers[0::2] - 1, numbers[1::2]


def last_pixel(starts: np.ndarray, lengths: np.ndarray) -> float:
    """Find the largest 1-based pixel of unchecked runs; a float, since int64 could overflow and pass for a pixel."""
    return float((starts.astype(np.float64) + lengths).max(initial=0))


def kaggle_to_runs(text: str) -> Runs:
    """Turn well-formed Kaggle text into runs (see the module's head)."""
    starts, lengths = parse_kaggle(text)
    return merge_runs(starts, starts + lengths)


def runs_to_kaggle(runs: Runs) -> str:
    """Turn runs into the competition's text; an empty mask gives an empty string."""
    starts, ends = runs
    return ' '.join(map(str, np.stack([starts + 1, ends - starts], axis=1).ravel().tolist()))


def mask_to_runs(mask: np.ndarray) -> Runs:
    """Find the runs of a bitmap.

    Args:
        mask: (H, W), bool or 0 and non-zero.
    """
    flat = np.asarray(mask, dtype=bool).ravel(order='F')
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    return edges[0::2], edges[1::2]


def runs_to_mask(runs: Runs, height: int, width: int) -> np.ndarray:
    """Draw runs; (H, W) bool."""
    starts, ends = runs
    edges = np.empty(2 * starts.size + 2, np.int64)
    edges[0], edges[1:-1:2], edges[2:-1:2], edges[-1] = 0, starts, ends, height * width
    return np.repeat(np.arange(edges.size - 1) % 2 == 1, np.diff(edges)).reshape(height, width, order='F')


def runs_to_coco(runs: Runs, height: int, width: int) -> dict:
    """Turn runs into COCO RLE."""
    edges = np.stack(runs, axis=1).ravel()
    return edges_to_coco(edges, np.array([0, edges.size]), height, width)[0]


def coco_to_runs(rle: dict) -> Runs:
    """Turn COCO RLE (compressed, str or bytes, or a list of counts) into runs.

    Raises:
        ValueError: counts that do not add up to the size.
    """
    edges, _ = checked_edges([rle], *rle['size'])
    return edges[0::2].copy(), edges[1::2].copy()


def stack_coco(masks: Sequence[dict], height: int, width: int) -> Runs:
    """Turn COCO RLEs of one size into the runs of a stack (see `masks.transform`), all at once.

    Args:
        masks: COCO RLE with counts as str, bytes or a list.
        height: of each mask, in pixels.
        width: likewise.

    Returns:
        Runs, sorted; those of different masks may touch: `resize` takes them so.

    Raises:
        ValueError: a mask of another size, or counts that do not add up to it.
    """
    edges, bounds = checked_edges(masks, height, width)
    edges += np.repeat(np.arange(len(masks)) * (height * width), np.diff(bounds))
    return edges[0::2], edges[1::2]


def area(runs: Runs) -> int:
    """Count the mask's pixels."""
    return int((runs[1] - runs[0]).sum())


def bounding_box(runs: Runs, height: int) -> tuple[int, int, int, int]:
    """Find the tight box x1, y1, x2, y2 in pixels, the right and lower edges exclusive; zeros for an empty mask."""
    starts, ends = runs
    if starts.size == 0:
        return 0, 0, 0, 0
    first, last = starts // height, (ends - 1) // height
    if (last > first).any():  # a run that goes on into the next column touches the bottom and the top
        top, bottom = 0, height
    else:
        top, bottom = int((starts % height).min()), int(((ends - 1) % height).max()) + 1
    return int(first[0]), top, int(last[-1]) + 1, bottom


def subtract(runs: Runs, other: Runs) -> Runs:
    """Take the pixels of `other` away from `runs`."""
    if runs[0].size == 0 or other[0].size == 0:
        return runs
    edges = np.unique(np.concatenate([*runs, *other]))
    inside = _covers(runs, edges) & ~_covers(other, edges)
    return merge_runs(edges[:-1][inside[:-1]], edges[1:][inside[:-1]])


def _covers(runs: Runs, positions: np.ndarray) -> np.ndarray:
    """Tell for each position whether it lies in a run."""
    return np.searchsorted(runs[0], positions, 'right') > np.searchsorted(runs[1], positions, 'right')


def unite(runs: Runs, other: Runs) -> Runs:
    """Unite two masks of the same size."""
    return merge_runs(np.concatenate([runs[0], other[0]]), np.concatenate([runs[1], other[1]]))


def resize_coco(mask: dict, new_size: tuple[int, int]) -> dict:
    """Scale COCO RLE as `resize` scales runs."""
    height, width = mask['size']
    if (height, width) == tuple(new_size):
        return mask
    return runs_to_coco(resize(coco_to_runs(mask), (height, width), new_size), *new_size)
