"""Pastes mask probabilities into their boxes straight to runs, without a bitmap, compiled.

The same bilinear sampling as mmdet's paste (pixel centres, zeros beyond the mask's edge). Down a target column the
value is linear between the centres of two cells, so a stretch between two cells both clearly in or both clearly out is
decided as a whole, and only stretches that cross the threshold are looked at pixel by pixel. Memory: the runs, and some
numbers a row of the box.
"""

import numpy as np

from fashion_mmdet.utils.jit import compiled

CLEAR = 1e-5  # float32 rounds a value of at most 1 by far less


@compiled
def _place(pixel: int, low: float, high: float, cells: int) -> tuple[int, np.float32, np.float32]:
    """Find between which two cells a pixel's centre lies: the first of them, and both weights; no cell weighs 0."""
    # Far outside all is 0; what a whole number does not hold would become any number.
    position = min(max((pixel + 0.5 - low) / (high - low) * cells - 0.5, -2.0), cells + 1.0)
    cell = int(np.floor(position))
    first = np.float32(1 - (position - cell)) if 0 <= cell < cells else np.float32(0)
    second = np.float32(1 - (cell + 1 - position)) if 0 <= cell + 1 < cells else np.float32(0)
    return cell, first, second


@compiled
def _blend(first_weight: np.float32, first: np.float32, second_weight: np.float32, second: np.float32) -> np.float32:
    """Weigh two values as a fused multiply-add in float32 does, which float64 holds without loss."""
    return np.float32(np.float64(first_weight * first) + np.float64(second_weight) * np.float64(second))


@compiled
def _profile(probs: np.ndarray, column: int, low: float, high: float, profile: np.ndarray) -> None:
    """Sample the mask along one target column: `profile[i + 1]` becomes the value at cell i, zeros beyond both ends."""
    cells = probs.shape[1]
    cell, first, second = _place(column, low, high, cells)
    left, right = min(max(cell, 0), cells - 1), min(max(cell + 1, 0), cells - 1)
    for row in range(probs.shape[0]):
        profile[row + 1] = _blend(first, probs[row, left], second, probs[row, right])


@compiled
def _append(edges: np.ndarray, filled: int, begin: int, start: int, end: int) -> int:
    """Add a run to the mask whose runs begin at `begin`, joining it to the last where they touch."""
    if filled > begin and edges[filled - 1] == start:
        edges[filled - 1] = end
        return filled
    edges[filled], edges[filled + 1] = start, end
    return filled + 2


@compiled
def _paste_column(
    profile: np.ndarray, rows: tuple, threshold: np.float32, offset: int, edges: np.ndarray, filled: int, begin: int
) -> int:
    """Add the runs of one column; `rows` are cell, both weights of each row; `offset` the pixel number of the first."""
    cells, firsts, seconds = rows
    last = profile.size - 2
    row = 0
    while row < cells.size:
        cell, stop = cells[row], row + 1
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
    """Find the pixels of 0 ... size that a span reaches, with one to spare on both sides; none for a span that is none.

    Clipped before it is made whole, however far it reaches; the comparison also is False for what is no number.
    """
    if not (low < high and high - low < np.inf):
        return 0, 0
    return int(min(max(np.floor(low) - 1, 0.0), size)), int(max(min(np.ceil(high) + 1, size), 0.0))


@compiled
def paste_masks(
    probs: np.ndarray, boxes: np.ndarray, height: int, width: int, threshold: np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Scale masks to their boxes and threshold them.

    Args:
        probs: (N, M, M) float32 in [0, 1].
        boxes: (N, 4) float64, x1 y1 x2 y2 in pixels of the target; one without area or an end gives no pixel.
        height: of the target in pixels.
        width: of the target in pixels.
        threshold: a pixel is in from this probability on.

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
                    profile, (cells, firsts, seconds), threshold, column * height + top, edges, filled, begin
                )
        bounds[mask + 1] = filled
    return edges[:filled].copy(), bounds
