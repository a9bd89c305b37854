"""One image's detections under fixed options, laid out so that every score threshold is a prefix.

Postprocessing and matching go down the detections by score: whether one is suppressed, which pixels it keeps and what
it hits depend on those above it alone. So masks made once at a low score threshold (the floor) hold the counts of every
higher one: what is below is left off. That is exact for any number of thresholds by class where masks meet within their
class alone, and for a single threshold always; with overlap='all', cross_class_iou or max_per_image, thresholds that
differ between classes make it an approximation.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import format_class_id
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS, mask_ious, match_greedily
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction, Truth


@dataclass(slots=True)
class ImageTable:
    """What one image's detections come to.

    Attributes:
        categories: (N,) int64, by descending score.
        scores: (N,) float32.
        areas: (N,) int64, pixels of the final masks.
        classes: (N,) int64, index of each detection's class among those true or predicted here; with
            match='class_id' the attributes belong to the class.
        objects: (K,) int64, true objects of each of these classes.
        near: (R,) int64, the detections that overlap an object of their class enough to hit.
        ious: (R, G) float, theirs with the true objects, 0 where the classes differ.
    """

    categories: np.ndarray
    scores: np.ndarray
    areas: np.ndarray
    classes: np.ndarray
    objects: np.ndarray
    near: np.ndarray
    ious: np.ndarray
    _hits: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def hits(self, min_area: int) -> tuple[np.ndarray, np.ndarray]:
        """Match the detections of at least `min_area` pixels.

        Returns:
            (R',) int64 detections and (R', T) bool, whether they hit at each of `IOU_THRESHOLDS`.
        """
        large = self.areas[self.near] >= min_area
        passing = int(large.sum())  # the same number is the same detections: areas only cut off the small
        if passing not in self._hits:
            self._hits[passing] = self.near[large], match_greedily(self.ious[large], IOU_THRESHOLDS).T >= 0
        return self._hits[passing]


def build_table(
    raw: RawPrediction, truth: Truth, options: Postprocess, floor: float, size: tuple[int, int] | None, match: str
) -> ImageTable:
    """Postprocess an image for all score thresholds from `floor` on, all areas and all categories.

    Args:
        raw: what the model said.
        truth: masks of `size`.
        options: their score_thr, min_area and drop_categories are left for later.
        floor: the lowest score threshold that will be asked for.
        size: height and width of the masks compared; None for the photo's own.
        match: 'category', or 'class_id': the attributes must agree too.
    """
    found = postprocess(raw, replace(options, score_thr=floor, min_area=1, drop_categories=()), size)
    true, predicted = _class_names(truth, match), _class_names(found, match)
    index = {name: number for number, name in enumerate(dict.fromkeys([*true, *predicted]))}
    true_classes = np.array([index[name] for name in true], np.int64)
    classes = np.array([index[name] for name in predicted], np.int64)
    ious = np.where(classes[:, None] == true_classes, mask_ious(found.masks, truth.masks), 0.0)  # (N, G)
    near = np.flatnonzero(ious.max(axis=1, initial=0) > IOU_THRESHOLDS[0])
    return ImageTable(
        categories=found.categories,
        scores=found.scores,
        areas=np.asarray(coco_mask.area(found.masks) if found.masks else [], np.int64),
        classes=classes,
        objects=np.bincount(true_classes, minlength=len(index)),
        near=near,
        ious=ious[near],
    )


def _class_names(objects: Truth | Prediction, match: str) -> list[str]:
    """Name what must agree for a hit."""
    if match == 'category':
        return [str(category) for category in objects.categories]
    return [format_class_id(*pair) for pair in zip(objects.categories, objects.attributes, strict=True)]
