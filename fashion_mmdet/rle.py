"""Run-length masks: the competition's runs, COCO RLE, and nearest-neighbour scaling without a bitmap. No torch.

Three forms of the same (H, W) mask, all column-major (down the columns first):

- Kaggle text: `start length start length ...`, 1-based.
- runs: two int64 arrays, `starts` and `ends`, 0-based and half open, sorted, neither touching nor overlapping.
- COCO RLE: `{'size': [H, W], 'counts': str}`, the compressed string of pycocotools (as str, which mmdet needs: it
  ignores RLE with bytes).
"""

import re
from collections.abc import Sequence

import numpy as np

from fashion_mmdet import rle_loops

NUMBERS = re.compile(r'[\s0-9-]*', re.ASCII)  # numpy alone would take 1_0, +1 and digits of other scripts

Runs = tuple[np.ndarray, np.ndarray]


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


def merge_runs(starts: np.ndarray, ends: np.ndarray) -> Runs:
    """Sort runs and unite those that touch or overlap."""
    if starts.size == 0:
        return starts.astype(np.int64), ends.astype(np.int64)
    order = np.argsort(starts, kind='stable')
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    new = np.concatenate([[True], starts[1:] > ends[:-1]])
    last = np.concatenate([np.flatnonzero(new)[1:] - 1, [starts.size - 1]])
    return starts[new], ends[last]


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
    change = np.zeros(height * width + 1, np.int8)
    change[runs[0]] = 1
    change[runs[1]] -= 1
    return np.cumsum(change[:-1], dtype=np.int8).astype(bool).reshape(height, width, order='F')


def edges_to_coco(edges: np.ndarray, bounds: np.ndarray, height: int, width: int) -> list[dict]:
    """Turn the runs of many masks of one size (see `rle_loops`) into COCO RLE."""
    codes, offsets = rle_loops.compress(edges, bounds, height * width)
    text, places = codes.tobytes().decode('ascii'), offsets.tolist()
    return [{'size': [int(height), int(width)], 'counts': text[start:stop]}
            for start, stop in zip(places[:-1], places[1:], strict=True)]


def coco_to_edges(masks: Sequence[dict], wanted: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Turn many masks' COCO RLE (compressed, str or bytes, or a list of counts) into runs.

    Args:
        masks: N of them.
        wanted: (N,) bool, the others come back without runs; None for all.

    Returns:
        edges, bounds: see `rle_loops`.
    """
    counts = [mask['counts'] for mask in masks]
    if wanted is None:
        wanted = np.ones(len(counts), bool)
    if not set(map(type, counts)) <= {str}:
        counts = [_as_text(one) for one in counts]
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, counts), np.int64, len(counts)), out=offsets[1:])
    return rle_loops.decompress(np.frombuffer(''.join(counts).encode('ascii'), np.uint8), offsets, wanted)


def _as_text(counts: str | bytes | Sequence[int]) -> str:
    if isinstance(counts, str):
        return counts
    if isinstance(counts, bytes):
        return counts.decode('ascii')
    edges = np.cumsum(np.asarray(counts, np.int64))
    return edges_to_coco(edges, np.array([0, edges.size - edges.size % 2]), 1, int(edges.max(initial=0)))[0]['counts']


def runs_to_coco(runs: Runs, height: int, width: int) -> dict:
    """Turn runs into COCO RLE."""
    edges = np.stack(runs, axis=1).ravel().astype(np.int64, copy=False)
    return edges_to_coco(edges, np.array([0, edges.size]), height, width)[0]


def coco_to_runs(rle: dict) -> Runs:
    """Turn COCO RLE (compressed, str or bytes, or a list of counts) into runs."""
    edges, _ = coco_to_edges([rle])
    return edges[0::2].copy(), edges[1::2].copy()


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


def nearest_source(size: int, new_size: int) -> np.ndarray:
    """For every new index the old one that `cv2.resize(INTER_NEAREST)` takes; (new_size,) int64, ascending."""
    ratio = 1.0 / (new_size / size)  # OpenCV inverts the factor; dividing directly rounds otherwise now and then
    return np.minimum(np.floor(np.arange(new_size) * ratio).astype(np.int64), size - 1)


def resize(runs: Runs, size: tuple[int, int], new_size: tuple[int, int]) -> Runs:
    """Scale runs as `cv2.resize(mask, INTER_NEAREST)` scales the bitmap, to the pixel, without drawing it.

    Only the columns that survive are looked at: a source column's pieces of runs become the same pieces, rows
    renumbered, of every new column that samples it.

    Args:
        runs: of the (H, W) mask.
        size: H, W.
        new_size: new H, W.
    """
    (height, width), (new_height, new_width) = size, new_size
    starts, ends = runs
    if size == new_size or starts.size == 0:
        return runs
    rows, columns = nearest_source(height, new_height), nearest_source(width, new_width)
    # Pieces: run i meets the new columns whose source column lies in [first, last] of the run.
    low = np.searchsorted(columns, starts // height, 'left')
    high = np.searchsorted(columns, (ends - 1) // height, 'right')
    counts = high - low
    run = np.repeat(np.arange(starts.size), counts)
    column = np.arange(run.size) - np.repeat(np.cumsum(counts) - counts, counts) + low[run]
    base = columns[column] * height
    top = np.searchsorted(rows, np.maximum(starts[run] - base, 0), 'left')
    bottom = np.searchsorted(rows, np.minimum(ends[run] - base, height), 'left')
    kept = bottom > top
    return merge_runs((column * new_height + top)[kept], (column * new_height + bottom)[kept])


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
