"""Compiled loops that paste mask probabilities into their boxes straight to runs, without a bitmap.

The bilinear sampling is that of mmdet's paste: pixel centres, zeros beyond the mask's edge. For each mask:

1. `_place` every row of the box: between which two cells of the mask its centre lies, and their weights.
2. For every column, left to right (runs go down the columns): `_profile` blends the two cell columns around it into one
   column of M values.
3. `_paste_column` walks down it. Between the centres of two cells the value is linear, so where both are clearly above
   the threshold all pixels between are in, and where both are clearly below none is; only stretches that cross the
   threshold are looked at pixel by pixel. In a 500 px box of 28 cells that is one stretch of 18 pixels per edge.

Memory: the runs, and a few numbers per row of the box.
"""

import numpy as np

from fashion_mmdet.utils.jit import compiled

CLEAR = 1e-5  # float32 rounds a value of at most 1 by far less


@compiled
def _place(pixel: int, low: float, high: float, cells: int) -> tuple[int, np.float32, np.float32]:
    """Find between which two cells a pixel's centre lies: the first of them, and both weights, 0 beyond the mask.

    In a box 10 to 18 of 4 cells, cell centres are at 11, 13, 15, 17; the centre of pixel 11 is at 11.5, a quarter of
    the way from cell 0 to cell 1: (0, 0.75, 0.25). Pixel 10 (10.5) lies before cell 0: (-1, 0, 0.75).
    """
    # Far outside all is 0; what a whole number does not hold would become any number.
    position = min(max((pixel + 0.5 - low) / (high - low) * cells - 0.5, -2.0), cells + 1.0)
    cell = int(np.floor(position))
    first = np.float32(1 - (position - cell)) if 0 <= cell < cells else np.float32(0)
    second = np.float32(1 - (cell + 1 - position)) if 0 <= cell + 1 < cells else np.float32(0)
    return cell, first, second


@compiled
def _blend(first_weight: np.float32, first: np.float32, second_weight: np.float32, second: np.float32) -> np.float32:
    """Return the weighted sum as a fused multiply-add in float32 gives it, which float64 holds without loss."""
    return np.float32(np.float64(first_weight * first) + np.float64(second_weight) * np.float64(second))


@compiled
def _profile(probs: np.ndarray, column: int, low: float, high: float, profile: np.ndarray) -> None:
    """Sample the mask along one target column: `profile[i + 1]` becomes the value at cell row i; its ends stay 0."""
    cells = probs.shape[1]
    cell, first, second = _place(column, low, high, cells)
    left, right = min(max(cell, 0), cells - 1), min(max(cell + 1, 0), cells - 1)
    for row in range(probs.shape[0]):
        profile[row + 1] = _blend(first, probs[row, left], second, probs[row, right])


@compiled
def _append(edges: np.ndarray, filled: int, begin: int, start: int, end: int) -> int:
    """Append a run to the mask whose runs begin at `edges[begin]`; extend the last run if they touch."""
    if filled > begin and edges[filled - 1] == start:
        edges[filled - 1] = end
        return filled
    edges[filled], edges[filled + 1] = start, end
    return filled + 2


@compiled
def _paste_column(
    profile: np.ndarray, rows: tuple, threshold: np.float32, offset: int, edges: np.ndarray, filled: int, begin: int
) -> int:
    """Append the runs of one column.

    Args:
        profile: (M + 2,) float32, values at the cells from -1 to M.
        rows: first cell and both weights of each of the box's rows, of `_place`.
        threshold: a pixel is in from this value on.
        offset: pixel number of the first row.
        edges, filled, begin: the runs so far, see `_append`.

    Returns:
        The new `filled`.
    """
    cells, firsts, seconds = rows
    last = profile.size - 2
    row = 0
    while row < cells.size:
        cell, stop = cells[row], row + 1  # rows `row` to `stop` lie between the same two cells
        while stop < cells.size and cells[stop] == cell:
            stop += 1
        above, below = profile[min(max(cell + 1, 0), last + 1)], profile[min(max(cell + 2, 0), last + 1)]
        if min(above, below) > threshold + CLEAR:
            filled = _append(edges, filled, begin, offset + row, offset + stop)
        elif max(above, below) >= threshold - CLEAR:
            for pixel in range(row, stop):
                if _blend(firsts[pixel], above, seconds[pixel], below) >= threshold:
                    filled = _append(edges, filled, begin, offset + pixel, offset + pixel + 1)
        row = stop
    return filled


@compiled
def _clip_span(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the pixels of 0 ... size that a span reaches, with one to spare on both sides; none for an invalid span.

    Clipped while still a float, since an int may not hold it; the comparison is False for NaN.
    """
    if not (low < high and high - low < np.inf):
        return 0, 0
    return int(min(max(np.floor(low) - 1, 0.0), size)), int(max(min(np.ceil(high) + 1, size), 0.0))


@compiled
def paste_masks(
    probs: np.ndarray, boxes: np.ndarray, height: int, width: int, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scale masks to their boxes and threshold them.

    Args:
        probs: (N, M, M) float32 in [0, 1].
        boxes: (N, 4) float64, x1 y1 x2 y2 in pixels of the target; an empty or unbounded one covers no pixel.
        height, width: of the target in pixels.
        thresholds: (N,) float32, a pixel of a mask is in from this probability on.

    Returns:
        edges, bounds: see `fashion_mmdet.masks.rle_kernels`.
    """
    edges, bounds, filled = np.empty(1024, np.int64), np.zeros(boxes.shape[0] + 1, np.int64), 0
    profile = np.zeros(probs.shape[1] + 2, np.float32)
    for mask in range(boxes.shape[0]):
        x1, y1, x2, y2 = boxes[mask]
        left, right = _clip_span(x1, x2, width)
        top, bottom = _clip_span(y1, y2, height)
        begin = filled
        if right > left and bottom > top:
            cells = np.empty(bottom - top, np.int64)
            firsts, seconds = np.empty(bottom - top, np.float32), np.empty(bottom - top, np.float32)
            for row in range(bottom - top):
                cells[row], firsts[row], seconds[row] = _place(top + row, y1, y2, probs.shape[1])
            for column in range(left, right):
                if edges.size < filled + bottom - top + 2:  # at worst every second pixel is a run
                    larger = np.empty(2 * (filled + bottom - top + 2), np.int64)
                    larger[:filled] = edges[:filled]
                    edges = larger
                _profile(probs[mask], column, x1, x2, profile)
                filled = _paste_column(
                    profile, (cells, firsts, seconds), thresholds[mask], column * height + top, edges, filled, begin
                )
        bounds[mask + 1] = filled
    return edges[:filled].copy(), bounds
