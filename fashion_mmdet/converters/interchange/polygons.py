"""Polygons of labelling tools become run-length masks, as pycocotools draws them."""

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask

from fashion_mmdet.masks.rle import coco_to_runs
from fashion_mmdet.masks.transform import Runs

MOST_EDGE_PX = 10_000_000  # length of all edges together; pycocotools takes some 60 bytes a pixel of it


def polygons_to_runs(polygons: Sequence[Sequence[float]], height: int, width: int) -> Runs:
    """Draw the union of polygons x, y, x, y ... in pixels, each closed by itself.

    A polygon inside another makes no hole: COCO's polygons know none, and pycocotools, mmdet and detectron2 all unite
    them. Parts with fewer than three points have no area and are left out.

    Raises:
        ValueError: an odd count, something that is no finite number, or points more than a photo's side outside it.
    """
    limits = np.array([width, height])
    parts, edge_px = [], 0.0
    for polygon in polygons:
        points = np.array(polygon)
        if points.ndim != 1 or points.size % 2 or points.dtype.kind not in 'iuf':
            raise ValueError(f'a polygon must be a list of numbers x, y, x, y ...: {polygon!r:.60}')
        points = points.reshape(-1, 2).astype(float)
        if not ((points >= -limits) & (points <= 2 * limits)).all():  # NaN is neither
            raise ValueError(f'a polygon reaches far out of the photo of {height}x{width}: {polygon!r:.60}')
        edge_px += np.abs(points - np.roll(points, 1, axis=0)).max(axis=1, initial=0).sum()
        if len(points) >= 3:
            parts.append(points.ravel().tolist())
    if edge_px > MOST_EDGE_PX:
        raise ValueError(f'polygons with {edge_px:,.0f} px of edges, more than {MOST_EDGE_PX:,}')
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return coco_to_runs(coco_mask.merge(coco_mask.frPyObjects(parts, height, width)))
