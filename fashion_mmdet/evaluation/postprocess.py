"""The one road from raw predictions to final masks: thresholds, paste, NMS, overlap, area. No torch.

Metric, submission, pictures and rescoring of dumps all call `postprocess`, so one set of options means the same masks
everywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from pycocotools import mask as coco_mask

from fashion_mmdet import rle
from fashion_mmdet.classes import NUM_CATEGORIES
from fashion_mmdet.evaluation.attribute_choice import (
    attribute_thresholds,
    categories_with_attributes,
    choose_attributes,
)
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction

OVERLAPS = ('class', 'all', 'none')


@dataclass(frozen=True)
class Postprocess:
    """Options from raw predictions to masks; the defaults are near those of the competition's 2019 winner.

    Attributes:
        score_thr: detections below go; one number, or a mapping from category id with 'default' for the rest.
        nms_iou: of two masks of a class whose IoU is larger, the lower-scored goes; None for no NMS.
        cross_class_iou: the same over all classes, so that no garment has two names; None allows it. Parts lie on
            garments (a sleeve on its coat) with an IoU far below 0.5.
        mask_thr: a pixel is in from this probability on.
        overlap: a pixel claimed twice stays with the higher score: within a 'class' (the competition's rule), over
            'all' classes, or 'none': masks stay as they are.
        min_area: masks with fewer pixels, at the size asked for, go.
        drop_categories: category ids never to predict.
        max_per_image: keep so many of the highest scores; None for all.
        attribute_thr: an attribute is predicted from this probability on; one number, or a mapping from attribute id
            with 'default' for the rest.
        attribute_policy: 'with' writes a ClassId with the predicted attributes, 'without' the bare category; one word,
            or a mapping from category id with 'default' for the rest.

    Raises:
        ValueError: an option out of its range.
    """

    score_thr: float | Mapping[int | str, float] = 0.5
    nms_iou: float | None = 0.3
    cross_class_iou: float | None = None
    mask_thr: float = 0.5
    overlap: str = 'class'
    min_area: int = 1
    drop_categories: Sequence[int] = ()
    max_per_image: int | None = None
    attribute_thr: float | Mapping[int | str, float] = 0.5
    attribute_policy: str | Mapping[int | str, str] = 'with'

    def __post_init__(self) -> None:
        if self.overlap not in OVERLAPS:
            raise ValueError(f'overlap={self.overlap!r}: one of {", ".join(OVERLAPS)}')
        for name in ('mask_thr', 'nms_iou', 'cross_class_iou'):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f'{name}={value}: must lie between 0 and 1')
        if self.max_per_image is not None and self.max_per_image < 0:
            raise ValueError(f'max_per_image={self.max_per_image}: must not be negative; None keeps all')
        if any(not 0 <= category < NUM_CATEGORIES for category in self.drop_categories):
            raise ValueError(f'drop_categories={list(self.drop_categories)}: ids are 0 to {NUM_CATEGORIES - 1}')
        if isinstance(self.score_thr, Mapping):
            known = {'default', *map(str, range(NUM_CATEGORIES))}
            unknown = [key for key in self.score_thr if str(key) not in known]
            if unknown:
                raise ValueError(f'score_thr: {unknown[0]!r} is no category id')
        if ((self.score_thresholds() < 0) | (self.score_thresholds() > 1)).any():
            raise ValueError(f'score_thr={self.score_thr}: must lie between 0 and 1')
        attribute_thresholds(self.attribute_thr)
        categories_with_attributes(self.attribute_policy)

    @classmethod
    def from_config(cls, options: Mapping | None) -> 'Postprocess':
        """Take the options of a config's `postprocess`; ValueError names one that does not exist."""
        known = [field.name for field in fields(cls)]
        for name in options or {}:
            if name not in known:
                raise ValueError(f'postprocess.{name}: no such option; there are {", ".join(known)}')
        return cls(**(options or {}))

    def score_thresholds(self) -> np.ndarray:
        """Give each category's score threshold; (46,) float."""
        if not isinstance(self.score_thr, Mapping):
            return np.full(NUM_CATEGORIES, float(self.score_thr))
        thresholds = np.full(NUM_CATEGORIES, float(self.score_thr.get('default', 0.5)))
        for key, value in self.score_thr.items():
            if key != 'default':
                thresholds[int(key)] = value
        return thresholds


def postprocess(raw: RawPrediction, options: Postprocess, size: tuple[int, int] | None = None) -> Prediction:
    """Turn one image's raw prediction into final masks.

    Args:
        raw: what the model said.
        options: thresholds and policies.
        size: height and width of the masks in pixels; None for the photo's own.

    Returns:
        Objects by descending score; ties keep the model's order.
    """
    height, width = size or (raw.height, raw.width)
    wanted = raw.scores >= options.score_thresholds()[raw.categories]
    wanted &= ~np.isin(raw.categories, list(options.drop_categories))
    chosen = np.flatnonzero(wanted)
    chosen = chosen[np.argsort(-raw.scores[chosen], kind='stable')]
    if options.max_per_image is not None:
        chosen = chosen[:options.max_per_image]
    scale = np.array([width / raw.width, height / raw.height] * 2)
    masks = [paste(raw.mask_probs[index], raw.boxes[index] * scale, height, width, options.mask_thr)
             for index in chosen]
    categories = raw.categories[chosen]
    kept = np.array([mask[0].size > 0 for mask in masks], dtype=bool)
    if options.nms_iou is not None:
        kept = suppress_duplicates(masks, categories, kept, (height, width), options.nms_iou)
    if options.cross_class_iou is not None:
        kept = suppress_duplicates(masks, np.zeros_like(categories), kept, (height, width), options.cross_class_iou)
    if options.overlap != 'none':
        groups = categories if options.overlap == 'class' else np.zeros_like(categories)
        masks = suppress_overlap(masks, groups, kept)
    final = [index for index in np.flatnonzero(kept) if rle.area(masks[index]) >= max(options.min_area, 1)]
    probs = raw.attribute_probs[chosen][final] if raw.attribute_probs is not None else None
    return Prediction(
        image_id=raw.image_id, size=(height, width), categories=categories[final], scores=raw.scores[chosen][final],
        masks=[rle.runs_to_coco(masks[index], height, width) for index in final], attribute_probs=probs,
        attributes=choose_attributes(categories[final], probs, attribute_thresholds(options.attribute_thr),
                                     categories_with_attributes(options.attribute_policy)))


def paste(probs: np.ndarray, box: np.ndarray, height: int, width: int, threshold: float) -> rle.Runs:
    """Scale a mask to its box and threshold it, touching the box's pixels only.

    The same bilinear sampling as mmdet's paste (pixel centres, zeros beyond the mask's edge), as two matrix products.

    Args:
        probs: (M, M) float in [0, 1].
        box: (4,) x1 y1 x2 y2 in pixels of the target.
        height: of the target in pixels.
        width: of the target in pixels.
        threshold: a pixel is in from this probability on.

    Returns:
        Runs in the (height, width) target.
    """
    x1, y1, x2, y2 = map(float, box)
    if not (x2 > x1 and y2 > y1):
        return rle.merge_runs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    left, right = max(int(np.floor(x1)) - 1, 0), min(int(np.ceil(x2)) + 1, width)
    top, bottom = max(int(np.floor(y1)) - 1, 0), min(int(np.ceil(y2)) + 1, height)
    if right <= left or bottom <= top:
        return rle.merge_runs(np.zeros(0, np.int64), np.zeros(0, np.int64))
    rows = _bilinear_weights(top, bottom, y1, y2, probs.shape[0])
    columns = _bilinear_weights(left, right, x1, x2, probs.shape[1])
    inside = columns @ probs.astype(np.float32).T @ rows.T >= threshold  # (columns, rows): column-major
    # A row of zeros below every column keeps runs from crossing into the next.
    padded = np.zeros((inside.shape[0], inside.shape[1] + 1), bool)
    padded[:, :-1] = inside
    starts, ends = rle.mask_to_runs(padded.reshape(-1, 1))
    column, first = np.divmod(starts, padded.shape[1])
    offset = (column + left) * height + top
    return rle.merge_runs(offset + first, offset + first + (ends - starts))


def _bilinear_weights(start: int, stop: int, low: float, high: float, cells: int) -> np.ndarray:
    """Weights of the mask's cells for each target pixel along one axis; (stop - start, cells) float32."""
    position = (np.arange(start, stop) + 0.5 - low) / (high - low) * cells - 0.5
    return np.maximum(0, 1 - np.abs(position[:, None] - np.arange(cells))).astype(np.float32)


def suppress_duplicates(masks: list[rle.Runs], groups: np.ndarray, kept: np.ndarray, size: tuple[int, int],
                        max_iou: float) -> np.ndarray:
    """Non-maximum suppression by mask IoU within each group.

    Args:
        masks: N, by descending score.
        groups: (N,) int; masks of different groups do not meet.
        kept: (N,) bool, which masks take part.
        size: height and width of the masks.
        max_iou: a mask that overlaps a better one more than this goes.

    Returns:
        (N,) bool, which masks stay.
    """
    kept = kept.copy()
    for group in np.unique(groups[kept]):
        members = np.flatnonzero(kept & (groups == group))
        if len(members) < 2:
            continue
        encoded = [rle.runs_to_coco(masks[index], *size) for index in members]
        ious = coco_mask.iou(encoded, encoded, [0] * len(encoded))  # (K, K)
        alive = np.ones(len(members), bool)
        for index in range(len(members)):
            if alive[index]:
                alive[index + 1:] &= ious[index, index + 1:] <= max_iou
        kept[members] = alive
    return kept


def suppress_overlap(masks: list[rle.Runs], groups: np.ndarray, kept: np.ndarray) -> list[rle.Runs]:
    """Give each pixel that several masks of a group claim to the first of them.

    Args:
        masks: N, by descending score.
        groups: (N,) int; masks of different groups may overlap.
        kept: (N,) bool, which masks take part.

    Returns:
        N masks; those that do not take part as they were.
    """
    result = list(masks)
    claimed: dict[int, rle.Runs] = {}
    for index in np.flatnonzero(kept):
        group = int(groups[index])
        if group in claimed:
            result[index] = rle.subtract(masks[index], claimed[group])
            claimed[group] = rle.unite(claimed[group], result[index])
        else:
            claimed[group] = masks[index]
    return result
