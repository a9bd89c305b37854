"""One polygon for a mask with holes and parts, and the mask that YOLO's trainer draws from it.

Source: ultralytics draws a polygon with `cv2.fillPoly` from coordinates cut to whole pixels, outline included, inside
and outside by the even-odd rule.
"""

import cv2
import numpy as np
from scipy.spatial import cKDTree


def mask_to_polygon(mask: np.ndarray) -> np.ndarray:
    """Trace a mask as one closed polygon.

    Outlines of parts and of holes are joined by bridges to the nearest point, walked there and back. A bridge within
    the mask loses nothing; one between parts adds its pixels to the mask, and that is all that is lost.

    Args:
        mask: (H, W) bool, at least one pixel.

    Returns:
        (P, 2) int64, x and y of pixels; at least three points, some of them the same for a mask of a pixel or two.
    """
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = sorted((contour.reshape(-1, 2).astype(np.int64) for contour in contours), key=len, reverse=True)
    outline = rings.pop(0)
    while rings:
        # The ring that lies nearest comes first: a hole's bridge then stays within its part.
        tree = cKDTree(outline)
        found = [tree.query(ring) for ring in rings]
        chosen = int(np.argmin([distances.min() for distances, _ in found]))
        distances, nearest = found[chosen]
        ring = rings.pop(chosen)
        start = int(distances.argmin())
        place = int(nearest[start])
        loop = np.concatenate([ring[start:], ring[: start + 1]])  # back to where it began
        outline = np.concatenate([outline[: place + 1], loop, outline[place:]])
    outline = _drop_straight(outline)
    return outline if len(outline) >= 3 else np.resize(outline, (3, 2))


def _drop_straight(points: np.ndarray) -> np.ndarray:
    """Drop the points on the way straight on from the point before to the one after."""
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turn = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    straight = (turn == 0) & ((before * after).sum(axis=1) > 0)
    return points[~straight]


def polygon_to_mask(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Draw a polygon as YOLO's trainer does; (P, 2) whole pixels to (H, W) bool."""
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 1)
    return mask.astype(bool)
