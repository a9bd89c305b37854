"""The competition's score of many images as a function of score thresholds, from tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fashion_mmdet.analysis.tuning.tables import ImageTable
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS

LEVELS = len(IOU_THRESHOLDS)
NEVER = 2.0  # a score threshold that nothing reaches: a dropped category's


@dataclass
class Detections:
    """The detections of several images in one list; a cell is what a ratio of hits is taken over.

    With average='image' a cell is an image, with 'image_class' an image and a class that is true or predicted there.
    """

    categories: np.ndarray  # (D,) int
    scores: np.ndarray  # (D,) float32
    cells: np.ndarray  # (D,) int
    hit_rows: np.ndarray  # (H,) int, the detection of each hit
    hit_levels: np.ndarray  # (H,) int, the IoU threshold of each hit
    objects: np.ndarray  # (C,) int, true objects of each cell
    cell_images: np.ndarray  # (C,) int, ascending; the image of each cell
    images: int  # how many

    @classmethod
    def gather(cls, tables: Sequence[ImageTable], min_area: int, average: str) -> 'Detections':
        """Take the detections of at least `min_area` pixels out of the images' tables."""
        # Two tables of 3 and 2 large detections, by image: rows 0 1 2 and 3 4 of the list, cells 0 0 0 and 1 1. Hits
        # are kept as pairs of row and IoU level, a few per detection, rather than as a matrix.
        by_class, parts, rows, cells = average == 'image_class', [], 0, 0
        for image, table in enumerate(tables):
            large = table.areas >= min_area
            places = rows + np.cumsum(large) - 1  # of the image's detections in the list
            hitting, hits = table.hits(min_area)
            which, level = np.nonzero(hits)
            objects = table.objects if by_class else table.objects.sum(keepdims=True)
            own_cells = table.classes[large] if by_class else np.zeros(int(large.sum()), np.int64)
            columns = table.categories[large], table.scores[large], cells + own_cells, places[hitting[which]], level
            parts.append((*columns, objects, np.full(len(objects), image)))
            rows, cells = rows + len(own_cells), cells + len(objects)
        return cls(*map(np.concatenate, zip(*parts, strict=True)), images=len(tables))

    def score(self, thresholds: np.ndarray) -> float:
        """Score by table under (46,) thresholds, one per category; to the last digit as `scoring.summarize` sums up."""
        kept, cells = self.scores >= thresholds[self.categories], len(self.objects)
        hit = kept[self.hit_rows]
        places = self.cells[self.hit_rows[hit]] * LEVELS + self.hit_levels[hit]
        hits = np.bincount(places, minlength=cells * LEVELS).reshape(cells, LEVELS)
        total = np.bincount(self.cells[kept], minlength=cells) + self.objects
        present = total > 0
        ratios = hits[present] / (total[present, None] - hits[present])
        empty = [1.0] * (self.images - len(np.unique(self.cell_images[present])))
        means = [math.fsum([*column, *empty]) / (len(ratios) + len(empty)) for column in ratios.T.tolist()]
        return math.fsum(means) / LEVELS

    def scores_along(self, grid: np.ndarray, dropped: Sequence[int] = ()) -> np.ndarray:
        """Score at every one of (S,) ascending common thresholds, without the dropped categories; (S,) float."""
        reach = np.searchsorted(grid, self.scores, side='right')
        return self._average(np.where(np.isin(self.categories, list(dropped)), 0, reach), len(grid))

    def scores_of_class(self, category: int, grid: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Score at every one of (S,) ascending thresholds of a category while the others keep theirs; (S,) float."""
        others = np.where(self.scores >= thresholds[self.categories], len(grid), 0)
        own = np.searchsorted(grid, self.scores, side='right')
        return self._average(np.where(self.categories == category, own, others), len(grid))

    def _average(self, reach: np.ndarray, steps: int) -> np.ndarray:
        """Average TP / (TP + FP + FN) at every step; an image with nothing in it and nothing predicted counts 1.

        Args:
            reach: (D,) int, the number of steps, counted from the first, at which each detection is kept.
            steps: S, number of steps.

        Returns:
            (S,) float.
        """
        # Where no detection comes or goes, one step stands for all: a rare category varies in few images.
        varying = np.zeros(self.images, bool)
        varying[self.cell_images[self.cells[(reach > 0) & (reach < steps)]]] = True
        sums, ratios = self._sum_ratios(varying, reach, steps)
        fixed_sums, fixed_ratios = self._sum_ratios(~varying, np.minimum(reach, 1), 1)
        return ((sums + fixed_sums) / (ratios + fixed_ratios)).mean(axis=0)

    def _sum_ratios(self, images: np.ndarray, reach: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Sum the ratios of the images in an (images,) bool array, (T, S) float, and count them, (S,) int."""
        cells = images[self.cell_images]
        predicted, hits = self._count(reach, steps, cells)
        total = predicted + self.objects[cells, None]  # (C', S) TP + FP + TP + FN
        sums = (hits / np.maximum(total[:, None] - hits, 1)).sum(axis=0)
        present = total > 0
        first_cells = np.flatnonzero(np.diff(self.cell_images[cells], prepend=-1))  # of each image that has cells
        occupied = np.logical_or.reduceat(present, first_cells).sum(axis=0) if len(present) else 0
        empty = images.sum() - occupied
        return sums + empty, present.sum(axis=0) + empty

    def _count(self, reach: np.ndarray, steps: int, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Count predictions and hits at every step in C' of the cells.

        Args:
            reach, steps: as of `_average`.
            cells: (C,) bool.

        Returns:
            (C', S) int predictions and (C', T, S) int hits.
        """

        def count(places: np.ndarray, reach: np.ndarray, size: int) -> np.ndarray:
            # Detections that reach 0, 1, 3 and 3 of three steps: 3, 2 and 2 of them are kept. Their histogram is
            # 1 1 0 2 (reach 0 to 3); summed from the right, without reach 0, that is 3 2 2.
            histogram = np.bincount(places * (steps + 1) + reach, minlength=size * (steps + 1))
            return histogram.reshape(size, steps + 1)[:, :0:-1].cumsum(axis=1)[:, ::-1]

        size, places = int(cells.sum()), (np.cumsum(cells) - 1)[self.cells]  # of each detection among these cells
        kept = cells[self.cells] & (reach > 0)
        hits = kept[self.hit_rows]
        hit_rows = self.hit_rows[hits]
        hit_counts = count(places[hit_rows] * LEVELS + self.hit_levels[hits], reach[hit_rows], size * LEVELS)
        return count(places[kept], reach[kept], size), hit_counts.reshape(size, LEVELS, steps)


def thresholds_without(score_thresholds: np.ndarray, dropped: Sequence[int]) -> np.ndarray:
    """Replace the score thresholds of dropped categories by one that nothing reaches; (46,) float."""
    thresholds = score_thresholds.copy()
    thresholds[list(dropped)] = NEVER
    return thresholds
