"""Scale, crop, flip and pad run-length masks without drawing them.

Runs are two int64 arrays, `starts` and `ends`, 0-based and half open, column-major, sorted, neither touching nor
overlapping. `count` masks of one `size` (H, W) form a stack: side by side they are one bitmap (H, count * W), whose
runs every function here takes like those of a single mask. A run may go on from one mask's end into the next.
`masks.rle` lists the other forms of a mask and converts between them.
"""

from itertools import pairwise

import numpy as np

Runs = tuple[np.ndarray, np.ndarray]

DIRECTIONS = ('horizontal', 'vertical', 'diagonal')


def merge_runs(starts: np.ndarray, ends: np.ndarray) -> Runs:
    """Sort runs and unite those that touch or overlap."""
    if starts.size == 0:
        return starts.astype(np.int64), ends.astype(np.int64)
    order = np.argsort(starts, kind='stable')
    return join_runs(starts[order], np.maximum.accumulate(ends[order]))


def join_runs(starts: np.ndarray, ends: np.ndarray) -> Runs:
    """Unite those of sorted runs that touch or overlap; starts and ends must both ascend."""
    gaps = np.flatnonzero(starts[1:] > ends[:-1]) + 1
    if gaps.size + 1 >= starts.size:
        return starts, ends
    return starts[np.append(0, gaps)], ends[np.append(gaps, starts.size) - 1]


def nearest_source(size: int, new_size: int) -> np.ndarray:
    """Return, for every new index, the old one that `cv2.resize(INTER_NEAREST)` takes; (new_size,) int64, ascending."""
    ratio = 1.0 / (new_size / size)  # OpenCV inverts the factor; dividing directly rounds otherwise now and then
    return np.minimum(np.floor(np.arange(new_size) * ratio).astype(np.int64), size - 1)


def resize(runs: Runs, size: tuple[int, int], new_size: tuple[int, int], count: int = 1) -> Runs:
    """Scale masks as `cv2.resize(mask, INTER_NEAREST)` scales the bitmap, to the pixel.

    The runs may touch and be empty here, as those of `rle.stack_coco` may.
    """
    (height, width), (new_height, new_width) = size, new_size
    if tuple(size) == tuple(new_size) or runs[0].size == 0:
        return _drop_empty(*runs)
    rows, columns = nearest_source(height, new_height), nearest_source(width, new_width)
    return _sample(runs, size, rows, columns, count)


def crop(runs: Runs, size: tuple[int, int], box: tuple[int, int, int, int], count: int = 1) -> Runs:
    """Crop to a box x1, y1, x2, y2 in pixels, as `mask[y1:y2, x1:x2]` does.

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
    """Flip left to right ('horizontal'), upside down ('vertical') or both ('diagonal'); ValueError for another."""
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
    """Paste masks into empty ones of `new_size`, from row `top` and column `left` on.

    Raises:
        ValueError: the mask does not fit.
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
    return join_runs(base + first, base + last)


def shrink_by_cover(runs: Runs, size: tuple[int, int], new_size: tuple[int, int], count: int = 1) -> Runs:
    """Shrink masks by area: a new pixel belongs to the mask where at least half of it is covered.

    A new pixel is H/h old ones high and W/w wide. Times h and w all edges are whole numbers: an old pixel is h by w
    units, a new one H by W, and it is in the mask where the units covered, doubled, reach H * W. From (3, 3) to
    (2, 2): pixels of 2 x 2 and of 3 x 3 units; the old top left pixel covers 4 of 9, which is less than half.
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
        (columns, h) float64 of whole numbers below 2 ** 53, the columns between the mask's ends only, and the first
        of these columns.
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


def split_columns(runs: Runs, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut runs where a column ends.

    In columns of height 4 the run 2 to 9 gives the pieces (column 0, rows 2 to 4), (1, 0 to 4) and (2, 0 to 1).

    Returns:
        column, top, bottom (exclusive) of each piece, int64; by column, then by row.
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
    # Rows 0 and 2, columns 0 and 2 of a 4 x 3 mask give 2 x 2: an edge at 9 (column 2, row 1) has the two new pixels
    # of column 0 before it, and row 0 of column 2: it moves to 3.
    taken = np.diff(all_left, append=all_left[-1])
    base = all_left * len(rows)
    starts, ends = (_move(edges, height, above, base, taken) for edges in runs)
    return _drop_empty(starts, ends)


def _move(edges: np.ndarray, height: int, above: np.ndarray, base: np.ndarray, taken: np.ndarray) -> np.ndarray:
    column = edges // height
    return base[column] + taken[column] * above[edges - column * height]


def _sample_repeating(runs: Runs, height: int, above: np.ndarray, left: np.ndarray) -> Runs:
    """Sample where an old column may give several new ones: a run's piece becomes a piece of each of them."""
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
    return join_runs(starts[solid], ends[solid])
