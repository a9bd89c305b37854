"""COCO RLE of many masks to runs and back, all at once. No torch.

`edges` and `bounds` are those of `fashion_mmdet.rle_loops`.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from fashion_mmdet import rle, rle_loops


def coco_to_edges(masks: Sequence[dict], wanted: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Turn many masks' COCO RLE (compressed, str or bytes, or a list of counts) into runs.

    Args:
        masks: N of them.
        wanted: (N,) bool, the others come back without runs; None for all.

    Returns:
        edges, bounds.
    """
    counts = [mask['counts'] for mask in masks]
    if not set(map(type, counts)) <= {str}:
        counts = [_as_text(mask) for mask in masks]
    if wanted is None:
        wanted = np.ones(len(counts), bool)
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, counts), np.int64, len(counts)), out=offsets[1:])
    return rle_loops.decompress(np.frombuffer(''.join(counts).encode('ascii'), np.uint8), offsets, wanted)


def _as_text(mask: dict) -> str:
    counts = mask['counts']
    if isinstance(counts, str):
        return counts
    if isinstance(counts, bytes):
        return counts.decode('ascii')
    return rle.runs_to_coco(rle.coco_to_runs(mask), 1, int(np.sum(counts, dtype=np.int64)))['counts']


def edges_to_coco(edges: np.ndarray, bounds: np.ndarray, height: int, width: int) -> list[dict]:
    """Turn the runs of many masks of one size into COCO RLE, counts as str."""
    codes, offsets = rle_loops.compress(edges, bounds, height * width)
    text, places = codes.tobytes().decode('ascii'), offsets.tolist()
    return [{'size': [int(height), int(width)], 'counts': text[start:stop]}
            for start, stop in itertools.pairwise(places)]
