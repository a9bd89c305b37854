"""Compiled loops that match the objects of many images at once: group by class, match greedily, count.

All objects of I images stand in one list: the true objects of image 0, 1 ... then the predictions of image 0, 1 ...,
each image's by descending score. `bounds`, (2I + 1,) int64, are the ends of these 2I entries. Two images with 2 and 1
true objects and 1 and 3 predictions have bounds [0, 2, 3, 4, 7]: image 1's predictions are entry 1 + I = 3, that is,
objects 4 to 6.
"""

import numpy as np

from fashion_mmdet.masks.rle_kernels import intersect, measure_areas
from fashion_mmdet.utils.jit import compiled


@compiled
def find_groups(keys: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Group objects by image and class, numbered in order of appearance, true objects before predictions.

    One image with true objects of classes 7, 3 and predictions of classes 3, 5 (keys [7, 3, 3, 5], bounds [0, 2, 4])
    has groups [0, 1, 1, 2], paired [no, yes, yes, no], first [0, 1, 3] and group_bounds [0, 3].

    Args:
        keys: (N,) int64, the class of every object.
        bounds: see the module's docstring.

    Returns:
        groups: (N,) int64, the group of every object; an image's groups follow each other.
        paired: (N,) bool, whether the group has both true objects and predictions; only then masks are compared.
        first: (K,) int64, the first object of each group.
        group_bounds: (I + 1,) int64; image i has the groups from group_bounds[i] up to group_bounds[i + 1].
    """
    images = (bounds.size - 1) // 2
    groups, first = np.empty(keys.size, np.int64), np.empty(keys.size, np.int64)
    sides, group_bounds = np.zeros((keys.size, 2), np.bool_), np.zeros(images + 1, np.int64)
    filled = 0
    for image in range(images):
        begin = filled
        for side in range(2):
            entry = image + side * images
            for index in range(bounds[entry], bounds[entry + 1]):
                group = begin  # look the class up among those of this image so far: a handful, so no hash table
                while group < filled and keys[first[group]] != keys[index]:
                    group += 1
                if group == filled:
                    first[filled] = index
                    filled += 1
                groups[index] = group
                sides[group, side] = True
        group_bounds[image + 1] = filled
    paired = np.empty(keys.size, np.bool_)
    for index in range(keys.size):
        paired[index] = sides[groups[index], 0] and sides[groups[index], 1]
    return groups, paired, first[:filled].copy(), group_bounds


@compiled
def match_greedily(ious: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Assign predictions, best score first, each to the free true object it overlaps most.

    A prediction that fails leaves its object free: IoUs [[0.6], [0.9]] give [0, -1] at 0.5, but [-1, 0] at 0.7.

    Args:
        ious: (P, G) float64 in [0, 1], predictions by descending score against true objects.
        thresholds: (T,) float64 ascending; a match needs an IoU strictly above.

    Returns:
        (T, P) int64, the true object that each prediction matches, -1 for none; of equal overlaps the first.
    """
    predicted, true = ious.shape
    matched = np.full((thresholds.size, predicted), -1, np.int64)
    for row in range(thresholds.size):
        free = np.ones(true, np.bool_)
        for index in range(predicted):
            best = -1
            for candidate in range(true):
                if free[candidate] and (best < 0 or ious[index, candidate] > ious[index, best]):
                    best = candidate
            if best >= 0 and ious[index, best] > thresholds[row]:
                matched[row, index] = best
                free[best] = False
    return matched


@compiled
def _sort_by_group(groups: np.ndarray, bounds: np.ndarray, entry: int) -> np.ndarray:
    """Return an entry's objects by group, stably: insertion sort suits a dozen objects that are nearly sorted."""
    objects = np.arange(bounds[entry], bounds[entry + 1])
    for place in range(1, objects.size):
        one, hole = objects[place], place
        while hole and groups[objects[hole - 1]] > groups[one]:
            objects[hole] = objects[hole - 1]
            hole -= 1
        objects[hole] = one
    return objects


@compiled
def _compare(
    edges: np.ndarray, edge_bounds: np.ndarray, areas: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Return IoUs, (P, G) float64, computed as pycocotools does: one division of two whole numbers."""
    ious = np.zeros((rows.size, columns.size), np.float64)
    for row in range(rows.size):
        for column in range(columns.size):
            shared = intersect(edges, edge_bounds, rows[row], columns[column])
            if shared:
                ious[row, column] = shared / (areas[rows[row]] + areas[columns[column]] - shared)
    return ious


@compiled
def count_groups(
    edges: np.ndarray,
    edge_bounds: np.ndarray,
    groups: np.ndarray,
    bounds: np.ndarray,
    group_bounds: np.ndarray,
    thresholds: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Match every group and count.

    Args:
        edges, edge_bounds: the objects' runs as in `masks.rle_kernels`; those of unpaired groups are not read.
        groups, group_bounds: of `find_groups`.
        bounds: see the module's docstring.
        thresholds: (T,) float64 ascending.

    Returns:
        counts: (K, T, 3) int64: TP, FP, FN.
        tp_ious: (K,) float64, sum of the true positives' IoUs at the first threshold, in the order of the predictions.
    """
    images = group_bounds.size - 1
    counts = np.zeros((group_bounds[-1], thresholds.size, 3), np.int64)
    tp_ious = np.zeros(group_bounds[-1], np.float64)
    areas = measure_areas(edges, edge_bounds)
    for image in range(images):
        # Both sides by group, so that one walk with two cursors meets every group's objects as two slices.
        true, predicted = _sort_by_group(groups, bounds, image), _sort_by_group(groups, bounds, image + images)
        first_true = first_predicted = 0
        for group in range(group_bounds[image], group_bounds[image + 1]):
            stop_true, stop_predicted = first_true, first_predicted
            while stop_true < true.size and groups[true[stop_true]] == group:
                stop_true += 1
            while stop_predicted < predicted.size and groups[predicted[stop_predicted]] == group:
                stop_predicted += 1
            columns, rows = true[first_true:stop_true], predicted[first_predicted:stop_predicted]
            first_true, first_predicted = stop_true, stop_predicted
            if columns.size and rows.size:
                ious = _compare(edges, edge_bounds, areas, rows, columns)
                matched = match_greedily(ious, thresholds)
                for row in range(rows.size):
                    if matched[0, row] >= 0:
                        tp_ious[group] += ious[row, matched[0, row]]
                    for place in range(thresholds.size):
                        counts[group, place, 0] += matched[place, row] >= 0
            for place in range(thresholds.size):
                counts[group, place, 1] = rows.size - counts[group, place, 0]
                counts[group, place, 2] = columns.size - counts[group, place, 0]
    return counts, tp_ious
