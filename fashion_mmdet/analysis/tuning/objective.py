"""The sweep score of many images as a function of score thresholds, from tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fashion_mmdet.analysis.tuning.tables import ImageTable
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS

LEVELS = len(IOU_THRESHOLDS)
NEVER = 2.0  # a score threshold that nothing reaches: a dropped category's


@dataclass
class Detections:
    """The detections of several images in one list; a cell is what a ratio of hits is taken over.

    With average='image' a cell is an image, with 'image_class' an image and a class that is true or predicted there.

    Attributes:
        categories: (D,) int.
        scores: (D,) float32.
        cells: (D,) int.
        hit_rows: (H,) int, the detection of each hit.
        hit_levels: (H,) int, the IoU threshold of each hit.
        objects: (C,) int, true objects of each cell.
        cell_images: (C,) int, ascending; the image of each cell.
        images: how many.
    """

    categories: np.ndarray
    scores: np.ndarray
    cells: np.ndarray
    hit_rows: np.ndarray
    hit_levels: np.ndarray
    objects: np.ndarray
    cell_images: np.ndarray
    images: int

    @classmethod
    def gather(cls, tables: Sequence[ImageTable], min_area: int, average: str) -> 'Detections':
        """Take the detections of at least `min_area` pixels out of the images' tables."""
        parts: list[list[np.ndarray]] = [[] for _ in range(7)]
        rows = cells = 0
        for image, table in enumerate(tables):
            large = table.areas >= min_area
            place = np.cumsum(large) - 1 + rows  # of each detection in the list
            hitting, hits = table.hits(min_area)
            which, level = np.nonzero(hits)
            by_class = average == 'image_class'
            objects = table.objects if by_class else table.objects.sum(keepdims=True)
            local = table.classes[large] if by_class else np.zeros(int(large.sum()), np.int64)
            found = (
                table.categories[large],
                table.scores[large],
                local + cells,
                place[hitting[which]],
                level,
                objects,
                np.full(len(objects), image),
            )
            for part, values in zip(parts, found, strict=True):
                part.append(values)
            rows, cells = rows + int(large.sum()), cells + len(objects)
        return cls(*map(np.concatenate, parts), images=len(tables))

    @cached_property
    def first_cells(self) -> np.ndarray:
        """(I',) int, where each image that has cells begins among them."""
        return np.flatnonzero(np.diff(self.cell_images, prepend=-1))

    def select(self, images: np.ndarray) -> 'Detections':
        """Keep the images that a (images,) bool array names, renumbered."""
        number = np.cumsum(images) - 1
        cells = images[self.cell_images]
        cell_number = np.cumsum(cells) - 1
        rows = cells[self.cells]
        row_number = np.cumsum(rows) - 1
        hits = rows[self.hit_rows]
        return Detections(
            self.categories[rows],
            self.scores[rows],
            cell_number[self.cells[rows]],
            row_number[self.hit_rows[hits]],
            self.hit_levels[hits],
            self.objects[cells],
            number[self.cell_images[cells]],
            int(images.sum()),
        )

    def counts(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Count predictions and hits under one score threshold a category.

        Args:
            thresholds: (46,) float.

        Returns:
            (C,) int predictions and (C, T) int hits.
        """
        kept = self.scores >= thresholds[self.categories]
        predicted = np.bincount(self.cells[kept], minlength=len(self.objects))
        hits = kept[self.hit_rows]
        place = self.cells[self.hit_rows[hits]] * LEVELS + self.hit_levels[hits]
        return predicted, np.bincount(place, minlength=len(self.objects) * LEVELS).reshape(-1, LEVELS)

    def counts_along(self, grid: np.ndarray, taking_part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Count predictions and hits at every value of one common score threshold.

        Args:
            grid: (S,) float, ascending thresholds.
            taking_part: (D,) bool, detections to count.

        Returns:
            (C, S) int predictions and (C, T, S) int hits.
        """
        steps, cells = len(grid), len(self.objects)
        reach = np.searchsorted(grid, self.scores, side='right')  # kept at the first `reach` thresholds
        hits = taking_part[self.hit_rows]
        rows = self.hit_rows[hits]
        predicted = np.bincount((self.cells * (steps + 1) + reach)[taking_part], minlength=cells * (steps + 1))
        hit = np.bincount(
            (self.cells[rows] * LEVELS + self.hit_levels[hits]) * (steps + 1) + reach[rows],
            minlength=cells * LEVELS * (steps + 1),
        )

        def at_least(histogram: np.ndarray) -> np.ndarray:
            return histogram[..., :0:-1].cumsum(axis=-1)[..., ::-1]

        return at_least(predicted.reshape(cells, steps + 1)), at_least(hit.reshape(cells, LEVELS, steps + 1))

    def totals(self, predicted: np.ndarray, hits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sum the ratios TP / (TP + FP + FN); an image with nothing in it and nothing predicted counts 1.

        Args:
            predicted: (C, S) int.
            hits: (C, T, S) int.

        Returns:
            (T, S) float sums and (S,) int, how many ratios were summed.
        """
        total = predicted + self.objects[:, None]
        ratios = hits / np.maximum(total[:, None] - hits, 1)
        present = total > 0
        occupied = (
            np.logical_or.reduceat(present, self.first_cells, axis=0).sum(axis=0)
            if len(present)
            else np.zeros(predicted.shape[1], int)
        )
        empty = self.images - occupied
        return ratios.sum(axis=0) + empty, present.sum(axis=0) + empty

    def score(self, thresholds: np.ndarray) -> float:
        """Score as `scoring.summarize` does, to the last digit, under one score threshold a category."""
        predicted, hits = self.counts(thresholds)
        total = predicted + self.objects
        present = total > 0
        ratios = hits[present] / (total[present, None] - hits[present])
        empty = [1.0] * (self.images - len(np.unique(self.cell_images[present])))
        means = [math.fsum([*column, *empty]) / (len(ratios) + len(empty)) for column in ratios.T.tolist()]
        return math.fsum(means) / LEVELS

    def scores_along(self, grid: np.ndarray, dropped: Sequence[int] = ()) -> np.ndarray:
        """Score at every value of one common score threshold; (S,) float.

        Args:
            grid: (S,) float, ascending.
            dropped: categories that are not predicted.
        """
        sums, pairs = self.totals(*self.counts_along(grid, ~np.isin(self.categories, list(dropped))))
        return (sums / pairs).mean(axis=0)

    def scores_of_class(self, category: int, grid: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Score at every score threshold of one category while the others keep theirs; (S,) float.

        Args:
            category: whose threshold varies.
            grid: (S,) float, ascending.
            thresholds: (46,) float, the others'.
        """
        touched = np.zeros(self.images, bool)
        touched[self.cell_images[self.cells[self.categories == category]]] = True
        others = thresholds.copy()
        others[category] = NEVER
        near, far = self.select(touched), self.select(~touched)
        predicted, hits = near.counts_along(grid, near.categories == category)
        still_predicted, still_hits = near.counts(others)
        sums, pairs = near.totals(predicted + still_predicted[:, None], hits + still_hits[..., None])
        fixed_predicted, fixed_hits = far.counts(others)
        fixed_sums, fixed_pairs = far.totals(fixed_predicted[:, None], fixed_hits[..., None])
        return ((sums + fixed_sums) / (pairs + fixed_pairs)).mean(axis=0)


def thresholds_of(score_thresholds: np.ndarray, dropped: Sequence[int]) -> np.ndarray:
    """Put a threshold that nothing reaches in the place of dropped categories'; (46,) float."""
    thresholds = score_thresholds.copy()
    thresholds[list(dropped)] = NEVER
    return thresholds
