"""From raw predictions to final masks: thresholds, paste, NMS, overlap, area.

Metric, submission, pictures and rescoring of dumps all call `postprocess`, so the same options give the same masks
everywhere.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType, NoneType

import numpy as np

from fashion_mmdet.classes import NUM_ATTRIBUTES, NUM_CATEGORIES
from fashion_mmdet.evaluation.attribute_choice import (
    DEFAULT_THRESHOLD,
    categories_with_attributes,
    choose_attributes,
    thresholds_by_id,
)
from fashion_mmdet.evaluation.mask_threshold import expected_iou_thresholds
from fashion_mmdet.evaluation.paste_loops import paste_masks
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction
from fashion_mmdet.masks import rle_kernels
from fashion_mmdet.masks.rle import edges_to_coco
from fashion_mmdet.utils.checks import NATURAL, SHARE, Interval, check_choice, check_ids, check_known, check_number

OVERLAPS = ('class', 'all', 'none')
TEMPERATURES = Interval(0.05, 20)
# What an average precision asks for, whatever the other options: every detection.
ALL_DETECTIONS = dict(
    score_thr=0.0, nms_iou=None, cross_class_iou=None, overlap='none', drop_categories=(), max_per_image=None
)


@dataclass(frozen=True)
class Postprocess:
    """Options of postprocessing; the defaults are near those of the competition's 2019 winner.

    Attributes:
        score_thr: detections below are dropped; one number, or a mapping from category id with 'default' for the rest
            (0.5 where absent).
        nms_iou: of two masks of a class whose IoU is larger, the lower-scored is dropped; None for no NMS.
        cross_class_iou: the same over all classes, so that no garment has two names; None allows it. Parts lie on
            garments (a sleeve on its coat) with an IoU far below 0.5.
        mask_thr: a pixel is in from this probability on.
        mask_temperature: a number chooses a threshold for each mask instead, by the IoU to expect (see
            `mask_threshold`), above 1 trusting the probabilities less than they say; None keeps `mask_thr` for all.
        overlap: a pixel claimed twice stays with the higher score: within a 'class' (the competition's rule), over
            'all' classes, or 'none': masks stay as they are.
        min_area: masks with fewer pixels, at the size asked for, are dropped.
        drop_categories: category ids never to predict.
        max_per_image: only this many of the highest scores above `score_thr` are pasted at all; None for all.
            NMS, overlap and `min_area` come after it and may leave fewer: no lower score moves up.
        attribute_thr: an attribute is predicted from this probability on; one number, or a mapping from attribute id
            with 'default' for the rest (0.5 where absent).
        attribute_policy: 'with' writes a ClassId with the predicted attributes, 'without' the bare category; one word,
            or a mapping from category id with 'default' for the rest ('with' where absent).
        rescorer: file of a rescorer, which replaces the scores before anything else; None keeps the model's scores.

    Raises:
        ValueError: an option out of its range.
    """

    score_thr: float | Mapping[int | str, float] = DEFAULT_THRESHOLD
    nms_iou: float | None = 0.3
    cross_class_iou: float | None = None
    mask_thr: float = 0.5
    mask_temperature: float | None = None
    overlap: str = 'class'
    min_area: int = 1
    drop_categories: Sequence[int] = ()
    max_per_image: int | None = None
    attribute_thr: float | Mapping[int | str, float] = DEFAULT_THRESHOLD
    attribute_policy: str | Mapping[int | str, str] = 'with'
    rescorer: str | None = None

    def __post_init__(self) -> None:
        check_choice('overlap', self.overlap, OVERLAPS)
        check_number('mask_thr', self.mask_thr, SHARE)
        check_number('mask_temperature', self.mask_temperature, TEMPERATURES, optional=True)
        check_number('nms_iou', self.nms_iou, SHARE, optional=True)
        check_number('cross_class_iou', self.cross_class_iou, SHARE, optional=True)
        check_number('min_area', self.min_area, NATURAL)
        check_number('max_per_image', self.max_per_image, NATURAL, optional=True)
        check_ids('drop_categories', self.drop_categories, NUM_CATEGORIES)
        self.score_thresholds()
        self.attribute_thresholds()
        categories_with_attributes(self.attribute_policy)
        if not isinstance(self.rescorer, (str, NoneType)):
            raise ValueError(f'rescorer={self.rescorer!r}: must be the path of a rescorer, or None')

    @classmethod
    def from_config(cls, options: Mapping | None) -> 'Postprocess':
        """Take the options of a config's `postprocess`; ValueError names one that does not exist."""
        options = rename_options(options)
        check_known('postprocess.', options, cls)
        made = cls(**options)
        if made.rescorer is not None:
            _rescorer_store().load_rescorer(made.rescorer)  # so that a bad file fails now, not after inference
        return made

    def score_thresholds(self) -> np.ndarray:
        """Return each category's score threshold, (46,) float."""
        return thresholds_by_id('score_thr', self.score_thr, NUM_CATEGORIES)

    def attribute_thresholds(self) -> np.ndarray:
        """Return each attribute's threshold, (92,) float."""
        return thresholds_by_id('attribute_thr', self.attribute_thr, NUM_ATTRIBUTES)


def rename_options(options: Mapping | None) -> Mapping:
    """Return options by today's names; ValueError where they are no dict or name one twice."""
    if not isinstance(options, (Mapping, NoneType)):
        raise ValueError(f'postprocess={options!r}: must be a dict of options')
    if 'filter' not in (options or {}):
        return options or {}
    if 'rescorer' in options:
        raise ValueError('postprocess.filter is the old name of postprocess.rescorer: give one of them')
    warnings.warn('postprocess.filter is now postprocess.rescorer', FutureWarning, stacklevel=3)
    return {'rescorer' if name == 'filter' else name: value for name, value in options.items()}


def postprocess(raw: RawPrediction, options: Postprocess, size: tuple[int, int] | None = None) -> Prediction:
    """Convert one image's raw prediction into final masks.

    Args:
        raw: output of the model's heads.
        options: thresholds and policies.
        size: height and width of the masks in pixels; None for the photo's own.

    Returns:
        Objects by descending score; ties keep the model's order.
    """
    if options.rescorer is not None:
        raw = _rescorer_store().rescore(raw, options.rescorer)
    height, width = size or (raw.height, raw.width)
    wanted = raw.scores >= options.score_thresholds()[raw.categories]
    wanted &= ~np.isin(raw.categories, list(options.drop_categories))
    chosen = np.flatnonzero(wanted)
    chosen = chosen[np.argsort(-raw.scores[chosen], kind='stable')][: options.max_per_image]
    scale = np.array([width / raw.width, height / raw.height] * 2)
    probs, boxes = raw.mask_probs[chosen].astype(np.float32), raw.boxes[chosen] * scale
    thresholds = np.full(len(probs), options.mask_thr, np.float32)
    if options.mask_temperature is not None:
        thresholds = expected_iou_thresholds(probs, options.mask_temperature)
    edges, bounds = paste_masks(probs, boxes, height, width, thresholds)
    categories = raw.categories[chosen]
    zeros = np.zeros(len(chosen), np.int64)  # one group for all classes; the image that begins with mask 0
    kept = np.diff(bounds) > 0
    if options.nms_iou is not None:
        kept = rle_kernels.mask_nms(edges, bounds, categories, kept, float(options.nms_iou))
    if options.cross_class_iou is not None:
        kept = rle_kernels.mask_nms(edges, bounds, zeros, kept, float(options.cross_class_iou))
    if options.overlap != 'none':
        groups = categories if options.overlap == 'class' else zeros
        edges, bounds = rle_kernels.resolve_overlaps(edges, bounds, np.where(kept, groups, -1), zeros)
    final = np.flatnonzero(kept & (rle_kernels.measure_areas(edges, bounds) >= max(options.min_area, 1)))
    categories = categories[final]
    probs = raw.attribute_probs[chosen][final] if raw.attribute_probs is not None else None
    with_attributes = categories_with_attributes(options.attribute_policy)
    return Prediction(
        image_id=raw.image_id,
        size=(height, width),
        categories=categories,
        scores=raw.scores[chosen][final],
        masks=edges_to_coco(*rle_kernels.pick(edges, bounds, final), height, width),
        attribute_probs=probs,
        attributes=choose_attributes(categories, probs, options.attribute_thresholds(), with_attributes),
        sources=chosen[final],
    )


def _rescorer_store() -> ModuleType:
    """Import the reader of rescorers only where one is asked for: scikit-learn takes a second."""
    from fashion_mmdet.evaluation.rescorer import store

    return store
