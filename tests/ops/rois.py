"""Boxes on a small feature map that every RoI operator is tested with, and bilinear sampling by its definition."""

import math

import numpy as np

SCALE = 0.5  # feature pixels an image pixel
HEIGHT, WIDTH = 5, 9  # of the feature map; the image is 10 x 18
# Quarter pixels, so that halving them is exact and every loop takes as many samples in float32 as in float64.
ROIS = {
    'inside': [0, 2, 1.5, 13.25, 8],
    'second image': [1, 3.5, 2, 9, 7.75],
    'third image': [2, 0, 0, 18, 10],
    'over the left and upper edge': [0, -7, -5.5, 6, 4],
    'over the right and lower edge': [1, 12, 6, 25, 17],
    'wholly outside': [0, 40, 40, 60, 50],
    'larger than the image': [2, -20, -10, 40, 30],
    'zero width': [0, 5, 2, 5, 8],
    'zero height': [1, 3, 4, 12, 4],
    'a point': [2, 6.5, 3.5, 6.5, 3.5],
    'smaller than a feature pixel': [0, 4.25, 4.25, 4.75, 5],
    'upside down': [1, 9, 8, 3, 2],
}


def bilinear_weights(y: float, x: float, height: int, width: int) -> np.ndarray:
    """Weights of the up to four pixels round a point; nothing more than one pixel outside the map."""
    weights = np.zeros((height, width))
    if not (-1 <= y <= height and -1 <= x <= width):
        return weights
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if row < height and column < width:
                weights[row, column] = (1 - abs(y - row)) * (1 - abs(x - column))
    return weights
