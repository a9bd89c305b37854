"""Shrinks run-length masks by area: a new pixel belongs to the mask where at least half of it is covered."""

from itertools import pairwise

import numpy as np

from fashion_mmdet.masks.transform import Runs, merge_runs, split_columns


def shrink_by_cover(runs: Runs, size: tuple[int, int], new_size: tuple[int, int], count: int = 1) -> Runs:
    """Shrink masks by area, exactly: in whole numbers, without drawing them at their old size.

    A new pixel is H/h old ones high and W/w wide. Times h and w all edges are whole: an old pixel is h by w units, a
    new one H by W, and it is in the mask where the units covered, doubled, reach H * W.

    Args:
        runs: of `count` (H, W) masks side by side.
        size: H, W.
        new_size: h, w, neither larger than before.
        count: how many masks the runs are of.
    """
    (height, width), (new_height, new_width) = size, new_size
    column, top, bottom = split_columns(runs, height)
    bounds = np.searchsorted(column, width * np.arange(count + 1))
    starts, ends = [], []
    for mask, (begin, end) in enumerate(pairwise(bounds)):
        if begin == end:
            continue
        cover, left = _sum_cover(column[begin:end] - mask * width, top[begin:end], bottom[begin:end], size, new_size)
        inside = np.zeros((len(cover), new_height + 2), np.int8)
        inside[:, 1:-1] = 2 * cover >= height * width
        edges = np.diff(inside, axis=1)  # 1 where a run begins, -1 where it ends
        base = ((left + mask * new_width + np.arange(len(cover))) * new_height)[:, None] + np.arange(new_height + 1)
        starts.append(base[edges == 1])
        ends.append(base[edges == -1])
    empty = [np.empty(0, np.int64)]
    return merge_runs(np.concatenate(starts or empty), np.concatenate(ends or empty))


def _sum_cover(
    column: np.ndarray, top: np.ndarray, bottom: np.ndarray, size: tuple[int, int], new_size: tuple[int, int]
) -> tuple[np.ndarray, int]:
    """Sum up how many units of each new pixel the pieces of one mask cover.

    Returns:
        cover: (columns, h) float64 of whole numbers, below 2 ** 53; only the columns between the mask's ends.
        left: the first of them.
    """
    (height, width), (new_height, new_width) = size, new_size
    first, offset = np.divmod(column * new_width, width)
    inside = np.minimum(new_width, width - offset)  # an old column meets one new column, or two
    left, columns = int(first[0]), int(first[-1]) + 2 - int(first[0])
    rows = new_height + 2
    index, weight = [], []
    for edges, sign in ((top, 1), (bottom, -1)):
        # From its edge on a piece covers the rest of one new row, H - r, then H a row: as differences, H - r and r.
        row, rest = np.divmod(edges * new_height, height)
        for shift, units in ((0, height - rest), (1, rest)):
            for next_column, part in ((0, inside), (1, new_width - inside)):
                index.append((first - left + next_column) * rows + row + shift)
                weight.append(sign * units * part)
    sums = np.bincount(np.concatenate(index), np.concatenate(weight), columns * rows).reshape(columns, rows)
    cover = np.cumsum(sums, axis=1)[:, :new_height]
    return cover[: min(columns, new_width - left)], left
