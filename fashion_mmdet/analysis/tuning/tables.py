"""One image's detections under fixed options, laid out so that every score threshold is a prefix.

Postprocessing and matching go down the detections by score: whether one is suppressed, which pixels it keeps and which
object it matches depend on those above it alone. So masks made once at a low score threshold (the floor) hold the
counts of every higher one: what is below is left off. That is exact for any number of thresholds by class where masks
meet within their class alone, and for a single threshold always; with overlap='all', cross_class_iou or max_per_image,
thresholds that differ between classes make it an approximation.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import format_class_id
from fashion_mmdet.evaluation.match_loops import match_greedily
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS, mask_ious
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction, Truth


@dataclass(slots=True)
class ImageTable:
    """The detections of one image, by descending score."""

    categories: np.ndarray  # (N,) int64
    scores: np.ndarray  # (N,) float32
    areas: np.ndarray  # (N,) int64, pixels of the final masks
    sources: np.ndarray  # (N,) int64, positions in the raw prediction
    classes: np.ndarray  # (N,) int64, indices of their classes (with match='class_id' of ClassIds) in `objects`
    objects: np.ndarray  # (K,) int64, number of true objects of each class that is true or predicted here
    near: np.ndarray  # (R,) int64, the detections whose IoU with an object of their class is high enough to hit
    ious: np.ndarray  # (R, G) float, their IoUs with the true objects, 0 where the classes differ
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
        raw: raw prediction of the image.
        truth: true masks of `size`.
        options: postprocessing options; score_thr, min_area and drop_categories are left for later.
        floor: lowest score threshold that will be asked for.
        size: height and width of the masks compared; None for the photo's own.
        match: 'category', or 'class_id' where the attributes must agree too.
    """
    found = postprocess(raw, replace(options, score_thr=floor, min_area=1, drop_categories=()), size)
    names = np.array([*_class_names(truth, match), *_class_names(found, match)], str)
    kinds, classes = np.unique(names, return_inverse=True)
    true, predicted = np.split(classes, [len(truth.masks)])
    ious = np.where(predicted[:, None] == true, mask_ious(found.masks, truth.masks), 0.0)  # (N, G)
    near = np.flatnonzero(ious.max(axis=1, initial=0) > IOU_THRESHOLDS[0])
    return ImageTable(
        categories=found.categories,
        scores=found.scores,
        areas=np.asarray(coco_mask.area(found.masks) if found.masks else [], np.int64),
        sources=found.sources,
        classes=predicted,
        objects=np.bincount(true, minlength=len(kinds)),
        near=near,
        ious=ious[near],
    )


def _class_names(objects: Truth | Prediction, match: str) -> list[str]:
    """Return what must agree for a hit."""
    if match == 'category':
        return [str(category) for category in objects.categories]
    return [format_class_id(*pair) for pair in zip(objects.categories, objects.attributes, strict=True)]
