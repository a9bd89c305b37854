"""COCO RLE of many masks to runs and back, all at once.

`edges` and `bounds` are those of `fashion_mmdet.masks.rle_kernels`.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from fashion_mmdet.masks import rle_kernels


def coco_to_edges(masks: Sequence[dict], wanted: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Turn many masks' COCO RLE (compressed, str or bytes, or a list of counts) into runs.

    Args:
        masks: N of them.
        wanted: (N,) bool, the others come back without runs; None for all.

    Returns:
        edges, bounds.

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


def checked_edges(masks: Sequence[dict], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """As `coco_to_edges`, of masks that must have one size.

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
    positions = np.cumsum(np.asarray(counts, np.int64))
    edges = positions[: positions.size // 2 * 2]
    return edges_to_coco(edges, np.array([0, edges.size]), 1, int(positions[-1]) if positions.size else 0)[0]['counts']


def edges_to_coco(edges: np.ndarray, bounds: np.ndarray, height: int, width: int) -> list[dict]:
    """Turn the runs of many masks of one size into COCO RLE, counts as str."""
    codes, offsets = rle_kernels.compress(edges, bounds, height * width)
    text, places = codes.tobytes().decode('ascii'), offsets.tolist()
    return [{'size': [int(height), int(width)], 'counts': text[start:stop]} for start, stop in pairwise(places)]
