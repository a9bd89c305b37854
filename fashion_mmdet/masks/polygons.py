"""Polygons along the edges of a mask's pixels, which lose nothing of it."""

from typing import NamedTuple

import cv2
import numpy as np


class Polygon(NamedTuple):
    """A connected part of a mask.

    Attributes:
        outer: (N, 2) int32, corners x, y of the outer ring in pixels; (0, 0) is the upper left corner of the image,
            (W, H) the lower right one.
        holes: rings of the holes, likewise.
    """

    outer: np.ndarray
    holes: list[np.ndarray]


def mask_to_polygons(mask: np.ndarray) -> list[Polygon]:
    """Trace an (H, W) bitmap's parts: what lies inside `outer` and outside of `holes` is exactly the mask.

    Pixels that touch at a corner are one part, whose ring passes that corner twice. Filled by the even-odd rule, all
    rings together give the mask too.

    OpenCV traces the centres of the outermost pixels. In the bitmap at twice its size, every pixel has one centre near
    each of its corners: x of 2k lies by the left edge k, x of 2k + 1 by the right edge k + 1.
    """
    doubled = np.repeat(np.repeat(np.asarray(mask, bool).astype(np.uint8), 2, axis=0), 2, axis=1)
    rings, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    if tree is None:
        return []
    corners = [_drop_straight((ring[:, 0] + 1) // 2) for ring in rings]
    parents = tree[0, :, 3]
    found = {index: Polygon(corners[index], []) for index in np.flatnonzero(parents < 0).tolist()}
    for index in np.flatnonzero(parents >= 0).tolist():
        found[int(parents[index])].holes.append(corners[index])
    return list(found.values())


def _drop_straight(ring: np.ndarray) -> np.ndarray:
    """Leave out corners that repeat the one before or lie on a straight line; (N, 2) to (n, 2)."""
    ring = ring[(ring != np.roll(ring, 1, axis=0)).any(axis=1)]
    before, after = ring - np.roll(ring, 1, axis=0), np.roll(ring, -1, axis=0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    back = (before * after).sum(axis=1) < 0
    return ring[turns | back]
