"""Run-length masks: conversions between the competition's text, start and end arrays, COCO RLE and bitmaps.

Forms of the same (H, W) mask, all column-major (down the columns first):

- Kaggle text: `start length start length ...`, 1-based.
- runs: two int64 arrays, `starts` and `ends`, 0-based and half open, sorted, neither touching nor overlapping.
- edges and bounds: the runs of many masks in two arrays, see `masks.rle_kernels`.
- COCO RLE: `{'size': [H, W], 'counts': str}`, the compressed string of pycocotools (as str, which mmdet needs: it
  ignores RLE with bytes).

The left column and the first pixel of the second column of a 2 x 3 mask: `1 3`, ([0], [3]), counts [0, 3, 3].
"""

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fashion_mmdet.masks import rle_kernels
from fashion_mmdet.masks.transform import Runs, merge_runs, resize

NUMBERS = re.compile(r'[\s0-9-]*', re.ASCII)  # numpy alone would take 1_0, +1 and digits of other scripts


def parse_kaggle(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the competition's runs as they stand, neither sorted nor checked against an image.

    Returns:
        0-based starts and lengths, int64.

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
    """Return the largest 1-based pixel of unchecked runs, as a float: int64 could overflow and pass for a pixel."""
    return float((starts.astype(np.float64) + lengths).max(initial=0))


def kaggle_to_runs(text: str) -> Runs:
    """Convert well-formed Kaggle text to runs."""
    starts, lengths = parse_kaggle(text)
    return merge_runs(starts, starts + lengths)


def runs_to_kaggle(runs: Runs) -> str:
    """Convert runs to the competition's text; an empty mask gives an empty string."""
    starts, ends = runs
    return ' '.join(map(str, np.stack([starts + 1, ends - starts], axis=1).ravel().tolist()))


def mask_to_runs(mask: np.ndarray) -> Runs:
    """Find the runs of an (H, W) bitmap, bool or 0 and non-zero."""
    flat = np.asarray(mask, dtype=bool).ravel(order='F')
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    return edges[0::2], edges[1::2]


def runs_to_mask(runs: Runs, height: int, width: int) -> np.ndarray:
    """Draw runs as an (H, W) bool bitmap."""
    starts, ends = runs
    edges = np.empty(2 * starts.size + 2, np.int64)
    edges[0], edges[1:-1:2], edges[2:-1:2], edges[-1] = 0, starts, ends, height * width
    return np.repeat(np.arange(edges.size - 1) % 2 == 1, np.diff(edges)).reshape(height, width, order='F')


def runs_to_coco(runs: Runs, height: int, width: int) -> dict:
    """Convert runs to COCO RLE."""
    edges = np.stack(runs, axis=1).ravel()
    return edges_to_coco(edges, np.array([0, edges.size]), height, width)[0]


def coco_to_runs(rle: dict) -> Runs:
    """Convert COCO RLE (compressed, str or bytes, or a list of counts) to runs; ValueError where it is broken."""
    edges, _ = same_size_edges([rle], *rle['size'])
    return edges[0::2].copy(), edges[1::2].copy()


def stack_coco(masks: Sequence[dict], height: int, width: int) -> Runs:
    """Convert COCO RLEs of one size to the runs of a stack (see `masks.transform`); errors as `same_size_edges`.

    The runs are sorted, but those of different masks may touch, and `resize` takes them so.
    """
    edges, bounds = same_size_edges(masks, height, width)
    edges += np.repeat(np.arange(len(masks)) * (height * width), np.diff(bounds))
    return edges[0::2], edges[1::2]


def area(runs: Runs) -> int:
    """Count the mask's pixels."""
    return int((runs[1] - runs[0]).sum())


def bounding_box(runs: Runs, height: int) -> tuple[int, int, int, int]:
    """Return the tight box x1, y1, x2, y2 in pixels, right and lower edges exclusive; zeros for an empty mask."""
    starts, ends = runs
    if starts.size == 0:
        return 0, 0, 0, 0
    first, last = starts // height, (ends - 1) // height
    if (last > first).any():  # a run that goes on into the next column touches the bottom and the top
        top, bottom = 0, height
    else:
        top, bottom = int((starts % height).min()), int(((ends - 1) % height).max()) + 1
    return int(first[0]), top, int(last[-1]) + 1, bottom


def unite(runs: Runs, other: Runs) -> Runs:
    """Unite two masks of the same size."""
    return merge_runs(np.concatenate([runs[0], other[0]]), np.concatenate([runs[1], other[1]]))


def resize_coco(mask: dict, new_size: tuple[int, int]) -> dict:
    """Scale COCO RLE as `resize` scales runs."""
    height, width = mask['size']
    if (height, width) == tuple(new_size):
        return mask
    return runs_to_coco(resize(coco_to_runs(mask), (height, width), new_size), *new_size)


def coco_to_edges(masks: Sequence[dict], wanted: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Convert the COCO RLE of many masks (compressed, str or bytes, or lists of counts) to edges and bounds.

    Args:
        masks: N masks of any size.
        wanted: (N,) bool, masks to convert, the others come back empty; None for all.

    Raises:
        ValueError: counts that are negative or past all sizes.
    """
    edges, bounds, totals = _decompress(masks, wanted)
    if (totals < 0).any():
        broken = masks[int(np.argmax(totals < 0))]
        raise ValueError(
            f'a mask of {"x".join(map(str, broken["size"]))} with negative or endless runs: {broken["counts"][:40]!r}'
        )
    return edges, bounds


def same_size_edges(masks: Sequence[dict], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Convert masks that must have one size as `coco_to_edges` does.

    Raises:
        ValueError: a mask of another size, or counts that do not add up to it.
    """
    for mask in masks:
        if tuple(mask['size']) != (height, width):
            raise ValueError(
                f'a mask of {mask["size"][0]}x{mask["size"][1]} for a photo of {height}x{width} (height x width)'
            )
    edges, bounds, totals = _decompress(masks, None)
    if (totals != height * width).any():
        raise ValueError(f'the runs of a mask do not add up to its {height}x{width} pixels')
    return edges, bounds


def _decompress(masks: Sequence[dict], wanted: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = [mask['counts'] for mask in masks]
    if not set(map(type, counts)) <= {str}:
        counts = [_as_text(one) for one in counts]
    if wanted is None:
        wanted = np.ones(len(counts), bool)
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, counts), np.int64, len(counts)), out=offsets[1:])
    return rle_kernels.decompress(np.frombuffer(''.join(counts).encode('ascii'), np.uint8), offsets, wanted)


def _as_text(counts: str | bytes | Sequence[int]) -> str:
    if isinstance(counts, str):
        return counts
    if isinstance(counts, bytes):
        return counts.decode('ascii')
    try:
        lengths = np.asarray(counts, np.int64)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(f'counts of a mask: {error}') from None
    if lengths.ndim != 1 or (lengths < 0).any() or lengths.sum(dtype=np.float64) >= 2**62:
        raise ValueError(f'a mask with negative or endless runs: {counts!r:.80}')
    positions = np.cumsum(lengths)
    edges = positions[: positions.size // 2 * 2]
    return edges_to_coco(edges, np.array([0, edges.size]), 1, int(positions[-1]) if positions.size else 0)[0]['counts']


def edges_to_coco(edges: np.ndarray, bounds: np.ndarray, height: int, width: int) -> list[dict]:
    """Convert edges and bounds of masks of one size to COCO RLE, counts as str."""
    codes, offsets = rle_kernels.compress(edges, bounds, height * width)
    text, places = codes.tobytes().decode('ascii'), offsets.tolist()
    return [{'size': [int(height), int(width)], 'counts': text[start:stop]} for start, stop in pairwise(places)]
