"""Run-length masks: the competition's runs, COCO RLE, and nearest-neighbour scaling without a bitmap. No torch.

Three forms of the same (H, W) mask, all column-major (down the columns first):

- Kaggle text: `start length start length ...`, 1-based.
- runs: two int64 arrays, `starts` and `ends`, 0-based and half open, sorted, neither touching nor overlapping.
- COCO RLE: `{'size': [H, W], 'counts': str}`, the compressed string of pycocotools (as str, which mmdet needs: it
  ignores RLE with bytes).
"""

import re

import numpy as np

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


def runs_to_coco(runs: Runs, height: int, width: int) -> dict:
    """Turn runs into COCO RLE."""
    starts, ends = runs
    edges = np.empty(2 * starts.size + 2, np.int64)
    edges[0], edges[1:-1:2], edges[2:-1:2], edges[-1] = 0, starts, ends, height * width
    counts = np.diff(edges)
    if counts.size > 1 and counts[-1] == 0:
        counts = counts[:-1]
    return {'size': [int(height), int(width)], 'counts': _compress(counts)}


def coco_to_runs(rle: dict) -> Runs:
    """Turn COCO RLE (compressed, str or bytes, or a list of counts) into runs."""
    counts = rle['counts']
    if isinstance(counts, (str, bytes)):
        counts = _decompress(counts.encode('ascii') if isinstance(counts, str) else counts)
    edges = np.cumsum(np.asarray(counts, np.int64))
    starts, ends = edges[0::2], edges[1::2]
    starts = starts[:ends.size]
    solid = ends > starts
    return merge_runs(starts[solid], ends[solid])


def _compress(counts: np.ndarray) -> str:
    """Write counts as pycocotools does: differences to the count two before, 5 bits a character, low bits first."""
    values = counts.copy()
    values[3:] -= counts[1:-2]
    # A value needs its magnitude's bits and one for the sign: 5 a character, up to 7 characters for 32 bits.
    magnitude = np.where(values < 0, ~values, values)
    chars = np.ones(values.size, np.int64)
    for step in range(1, 7):
        chars += magnitude >= 1 << (5 * step - 1)
    offsets = np.concatenate([[0], np.cumsum(chars)])
    text = np.empty(offsets[-1], np.uint8)
    for step in range(int(chars.max(initial=0))):
        here = chars > step
        bits = (values[here] >> (5 * step)) & 0x1F
        text[offsets[:-1][here] + step] = bits + 48 + 0x20 * (chars[here] > step + 1)
    return text.tobytes().decode('ascii')


def _decompress(text: bytes) -> np.ndarray:
    """Read pycocotools' compressed counts; the inverse of `_compress`."""
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    if codes.size == 0:
        return codes
    last = codes & 0x20 == 0
    index = np.concatenate([[0], np.cumsum(last)[:-1]])  # which value a character belongs to
    first = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    shift = 5 * (np.arange(codes.size) - first[index])
    values = np.zeros(first.size, np.int64)
    np.add.at(values, index, (codes & 0x1F) << shift)
    ends = np.flatnonzero(last)
    negative = codes[ends] & 0x10 != 0
    values[negative] -= np.int64(1) << (shift[ends][negative] + 5)
    # From the fourth count on, differences to the count two before: two interleaved running sums.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values


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
