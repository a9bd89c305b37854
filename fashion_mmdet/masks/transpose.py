"""Turn column-major run-length masks into row-major ones and back."""

import numpy as np

from fashion_mmdet.masks.rle import bounding_box, mask_to_runs, runs_to_mask
from fashion_mmdet.masks.transform import Runs, crop, join_runs, place


def transpose(runs: Runs, height: int, width: int) -> Runs:
    """Return the runs of the transposed mask, (W, H): those of the (H, W) mask along its rows.

    The mask's top right pixel of 2 x 3 is pixel 4 by columns and 2 by rows: ([4], [5]) becomes ([2], [3]). Only what
    lies within the mask's box is drawn; applied to the result with width and height swapped, it gives the mask back.
    """
    if runs[0].size == 0:
        return runs
    box = x1, y1, x2, y2 = bounding_box(runs, height)
    mask = runs_to_mask(crop(runs, (height, width), box), y2 - y1, x2 - x1)
    return place(mask_to_runs(mask.T), (x2 - x1, y2 - y1), (width, height), x1, y1)


def counts_to_runs(counts: np.ndarray) -> Runs:
    """Convert lengths of stretches off, on, off, on ... to runs; (C,) int64, none negative."""
    edges = np.cumsum(counts)
    starts, ends = edges[0::2][: counts.size // 2], edges[1::2]
    solid = ends > starts
    return join_runs(starts[solid], ends[solid])


def runs_to_counts(runs: Runs, pixels: int) -> np.ndarray:
    """Convert runs to the lengths of stretches off, on, off, on ... that add up to `pixels`; the last is never 0."""
    edges = np.append(np.stack(runs, axis=1).ravel(), pixels)
    counts = np.diff(edges, prepend=0)
    return counts[:-1] if counts.size > 1 and counts[-1] == 0 else counts
