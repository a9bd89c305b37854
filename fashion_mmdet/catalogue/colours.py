"""Dominant colours of a garment: k-means over its pixels in CIELAB, named by the nearest CSS colour.

CIELAB under D65, as OpenCV converts sRGB: L from 0 to 100, a and b about -128 to 127; equal distances look about
equally large. A name is that of the nearest of the 139 distinct CSS colours by CIE76, the Euclidean distance. CIEDE2000
agrees with it on most pixels and differs where both names would do; xkcd's 949 names split one navy coat's folds into
five shades, too fine to count trends by or to search for.
"""

import functools
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.colors import CSS4_COLORS, to_rgb

from fashion_mmdet.masks.rle import coco_to_runs

PIXELS = 2000  # looked at; more do not change the colours by what the eye sees
COLOURS = 4
SAME = 12.0  # CIELAB units within which two clusters are one colour: folds, not dyes
LEAST_SHARE = 0.05
ROUNDS = 12


class Colour(NamedTuple):
    """A colour: its CSS name, CIELAB coordinates and share of the region in (0, 1]."""

    name: str
    L: float
    a: float
    b: float
    share: float


def dominant_colours(photo: np.ndarray, mask: dict, count: int = COLOURS, pixels: int | None = PIXELS) -> list[Colour]:
    """Find the dominant colours of a masked region; the same every time.

    Args:
        photo: (H, W, 3) uint8, RGB.
        mask: COCO RLE of size H, W.
        count: most colours.
        pixels: pixels to look at, spread evenly over the region; None for all.

    Returns:
        The colours, the largest share first; shares below 0.05 are left out unless all are. None for an empty mask.

    Raises:
        ValueError: a mask of another size than the photo.
    """
    height, width = photo.shape[:2]
    if tuple(mask['size']) != (height, width):
        raise ValueError(
            f'a mask of {"x".join(map(str, mask["size"]))} for a photo of {height}x{width} (height x width)'
        )
    places = sample_places(*coco_to_runs(mask), pixels)
    if not places.size:
        return []
    lab = to_lab(photo[places % height, places // height])
    centres, shares = merge_near(*cluster(lab, count))
    order = np.argsort(-shares, kind='stable')
    kept = order[shares[order] >= min(LEAST_SHARE, shares.max())]
    names = nearest_names(centres[kept])
    return [Colour(name, *map(float, centres[row]), float(shares[row])) for name, row in zip(names, kept, strict=True)]


def sample_places(starts: np.ndarray, ends: np.ndarray, pixels: int | None) -> np.ndarray:
    """Spread `pixels` places evenly over the pixels of runs, all of them where there are no more; column-major."""
    bounds = np.concatenate([[0], np.cumsum(ends - starts)])
    total = int(bounds[-1])
    taken = total if pixels is None else min(total, pixels)
    ranks = (np.arange(taken) * 2 + 1) * total // max(2 * taken, 1)
    run = np.searchsorted(bounds, ranks, side='right') - 1
    return starts[run] + ranks - bounds[run]


def to_lab(rgb: np.ndarray) -> np.ndarray:
    """Convert (N, 3) uint8 sRGB to float32 CIELAB."""
    return cv2.cvtColor(rgb[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]


def cluster(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Group (N, 3) points by k-means, begun without chance.

    The first centre is the mean; each further one the point of the largest squared distance to its nearest centre that
    a tenth of the points exceed, so that a few stray pixels begin no cluster. Then Lloyd's iterations.

    Returns:
        (K, 3) centres and (K,) shares of the points, none empty; K is at most `count` and the number of colours.
    """
    centres = points.mean(0, keepdims=True)
    while True:
        for _ in range(ROUNDS):
            nearest = _distances(points, centres).argmin(1)
            sizes = np.bincount(nearest, minlength=len(centres))
            sums = np.stack([np.bincount(nearest, axis, len(centres)) for axis in points.T], axis=1)
            moved = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres).astype(np.float32)
            still = np.abs(moved - centres).max() < 0.1
            centres = moved
            if still:
                break
        spread = _distances(points, centres).min(1)
        if len(centres) >= count or np.sqrt(spread).mean() < SAME / 2:
            break
        far = np.argsort(spread, kind='stable')[int(0.9 * (len(points) - 1))]
        centres = np.concatenate([centres, points[far : far + 1]])
    return centres[sizes > 0], sizes[sizes > 0] / len(points)


def merge_near(centres: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Merge the two nearest centres, weighted by their shares, until all are at least `SAME` apart."""
    while len(centres) > 1:
        apart = _distances(centres, centres)
        apart[np.tril_indices(len(centres))] = np.inf
        one, other = np.unravel_index(apart.argmin(), apart.shape)
        if apart[one, other] >= SAME**2:
            break
        both = shares[one] + shares[other]
        centres[one] = (shares[one] * centres[one] + shares[other] * centres[other]) / both
        shares[one] = both
        centres, shares = np.delete(centres, other, 0), np.delete(shares, other)
    return centres, shares


def nearest_names(lab: np.ndarray) -> list[str]:
    """Name (N, 3) CIELAB colours by the nearest CSS colour."""
    names, known = css_colours()
    return [names[row] for row in _distances(np.asarray(lab, np.float32).reshape(-1, 3), known).argmin(1)]


@functools.cache
def css_colours() -> tuple[list[str], np.ndarray]:
    """List CSS's colours, the first name of each in the alphabet ('gray', 'aqua'), and their CIELAB coordinates."""
    by_value = {value: name for name, value in sorted(CSS4_COLORS.items(), reverse=True)}
    rgb = np.array([to_rgb(value) for value in by_value]) * 255
    return list(by_value.values()), to_lab(rgb.round().astype(np.uint8))


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return (N, K) squared distances."""
    products = -2 * points @ centres.T
    return np.maximum(products + (points**2).sum(1)[:, None] + (centres**2).sum(1), 0)
