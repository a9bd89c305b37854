"""Scales, crops, flips and pads run-length masks without drawing them.

Runs are two int64 arrays, `starts` and `ends`, 0-based and half open, column-major, sorted, neither touching nor
overlapping. `count` masks of one size (H, W) form a stack: side by side they are one bitmap (H, count * W), whose runs
these functions take as readily as those of a single mask. A run may go on from one mask's end into the next.
"""

import numpy as np

Runs = tuple[np.ndarray, np.ndarray]

DIRECTIONS = ('horizontal', 'vertical', 'diagonal')


def merge_runs(starts: np.ndarray, ends: np.ndarray) -> Runs:
    """Sort runs and unite those that touch or overlap."""
    if starts.size == 0:
        return starts.astype(np.int64), ends.astype(np.int64)
    order = np.argsort(starts, kind='stable')
    return _join(starts[order], np.maximum.accumulate(ends[order]))


def _join(starts: np.ndarray, ends: np.ndarray) -> Runs:
    """Unite those of sorted runs that touch or overlap; neither starts nor ends go down."""
    gaps = np.flatnonzero(starts[1:] > ends[:-1]) + 1
    if gaps.size + 1 >= starts.size:
        return starts, ends
    return starts[np.append(0, gaps)], ends[np.append(gaps, starts.size) - 1]


def nearest_source(size: int, new_size: int) -> np.ndarray:
    """For every new index the old one that `cv2.resize(INTER_NEAREST)` takes; (new_size,) int64, ascending."""
    ratio = 1.0 / (new_size / size)  # OpenCV inverts the factor; dividing directly rounds otherwise now and then
    return np.minimum(np.floor(np.arange(new_size) * ratio).astype(np.int64), size - 1)


def resize(runs: Runs, size: tuple[int, int], new_size: tuple[int, int], count: int = 1) -> Runs:
    """Scale runs as `cv2.resize(mask, INTER_NEAREST)` scales the bitmap, to the pixel, without drawing it.

    Args:
        runs: of `count` (H, W) masks; here runs may touch and be empty, as those of `stack_coco` may.
        size: H, W.
        new_size: new H, W.
        count: how many masks the runs are of.
    """
    (height, width), (new_height, new_width) = size, new_size
    if tuple(size) == tuple(new_size) or runs[0].size == 0:
        return _drop_empty(*runs)
    rows, columns = nearest_source(height, new_height), nearest_source(width, new_width)
    return _sample(runs, size, rows, columns, count)


def crop(runs: Runs, size: tuple[int, int], box: tuple[int, int, int, int], count: int = 1) -> Runs:
    """Cut out what `mask[y1:y2, x1:x2]` is of the bitmap.

    Args:
        runs: of `count` (H, W) masks.
        size: H, W.
        box: x1, y1, x2, y2 in pixels, inside the mask and not empty.
        count: how many masks the runs are of.

    Raises:
        ValueError: the box is empty or reaches out of the mask.
    """
    x1, y1, x2, y2 = map(int, box)
    if not (0 <= y1 < y2 <= size[0] and 0 <= x1 < x2 <= size[1]):
        raise ValueError(
            f'crop {x1, y1, x2, y2} (x1, y1, x2, y2) of a mask {size[0]} high and {size[1]} wide: the box '
            'must lie inside and hold a pixel'
        )
    return _sample(runs, size, np.arange(y1, y2), np.arange(x1, x2), count)


def flip(runs: Runs, size: tuple[int, int], direction: str = 'horizontal', count: int = 1) -> Runs:
    """Mirror masks left to right ('horizontal'), upside down ('vertical') or both ('diagonal').

    Raises:
        ValueError: another direction.
    """
    if direction not in DIRECTIONS:
        raise ValueError(f'flip direction {direction!r}: one of {", ".join(DIRECTIONS)}')
    height, width = size
    column, top, bottom = split_columns(runs, height)
    if direction != 'horizontal':
        top, bottom = height - bottom, height - top
    if direction != 'vertical':
        column = column + (width - 1 - 2 * (column % width))  # the same mask's column, counted from its right
    return merge_runs(column * height + top, column * height + bottom)


def place(
    runs: Runs, size: tuple[int, int], new_size: tuple[int, int], top: int = 0, left: int = 0, count: int = 1
) -> Runs:
    """Put masks into larger ones that are empty elsewhere.

    Args:
        runs: of `count` (H, W) masks.
        size: H, W.
        new_size: H, W of the larger masks.
        top: row of the larger mask where the smaller one begins.
        left: column likewise.
        count: how many masks the runs are of.

    Raises:
        ValueError: a mask does not fit.
    """
    (height, width), (new_height, new_width) = size, new_size
    if not (0 <= top <= new_height - height and 0 <= left <= new_width - width):
        raise ValueError(
            f'a mask {height} high and {width} wide does not fit into {new_height} x {new_width} at row '
            f'{top}, column {left}'
        )
    if tuple(size) == tuple(new_size):
        return runs
    column, first, last = split_columns(runs, height)
    column = column + column // width * (new_width - width) + left
    base = column * new_height + top
    return _join(base + first, base + last)


def split_columns(runs: Runs, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut runs where a column ends.

    Returns:
        column, top, bottom of each piece, int64, the bottom exclusive; by column, then by row.
    """
    starts, ends = runs
    first = starts // height
    counts = (ends - 1) // height - first + 1
    run = np.repeat(np.arange(starts.size), counts)
    column = np.arange(run.size) + (first - np.cumsum(counts) + counts)[run]
    base = column * height
    return column, np.maximum(starts[run] - base, 0), np.minimum(ends[run] - base, height)


def _sample(runs: Runs, size: tuple[int, int], rows: np.ndarray, columns: np.ndarray, count: int) -> Runs:
    """Take `mask[rows][:, columns]` of each mask; rows and columns ascend, and may repeat."""
    height, width = size
    above = _count_below(rows, height)
    left = _count_below(columns, width)
    all_left = np.append((left[:-1] + len(columns) * np.arange(count)[:, None]).ravel(), len(columns) * count)
    if (np.diff(left) > 1).any():
        return _sample_repeating(runs, height, above, all_left)
    # New pixels, column-major, come from ascending old ones: an edge moves to the number of new pixels before it.
    taken = np.diff(all_left, append=all_left[-1])
    base = all_left * len(rows)
    starts, ends = (_move(edges, height, above, base, taken) for edges in runs)
    return _drop_empty(starts, ends)


def _move(edges: np.ndarray, height: int, above: np.ndarray, base: np.ndarray, taken: np.ndarray) -> np.ndarray:
    column = edges // height
    return base[column] + taken[column] * above[edges - column * height]


def _sample_repeating(runs: Runs, height: int, above: np.ndarray, left: np.ndarray) -> Runs:
    """Sample where an old column may give several new ones: each piece of a run becomes a piece of all of them."""
    column, top, bottom = split_columns(_drop_empty(*runs), height)
    counts = left[column + 1] - left[column]
    piece = np.repeat(np.arange(column.size), counts)
    new_column = np.arange(piece.size) + (left[column] - np.cumsum(counts) + counts)[piece]
    base = new_column * above[-1]
    starts, ends = base + above[top[piece]], base + above[bottom[piece]]
    solid = ends > starts
    return merge_runs(starts[solid], ends[solid])


def _count_below(indices: np.ndarray, size: int) -> np.ndarray:
    """Count, for each of 0 ... size, the ascending indices below it; (size + 1,) int64."""
    return np.concatenate([[0], np.cumsum(np.bincount(indices, minlength=size))])


def _drop_empty(starts: np.ndarray, ends: np.ndarray) -> Runs:
    """Drop empty runs of a sorted list and unite those that then touch."""
    solid = np.flatnonzero(ends > starts)
    return _join(starts[solid], ends[solid])
