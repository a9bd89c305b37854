"""Score the attributes of a dump: read, postprocess, match, summarize."""

import os
from dataclasses import dataclass, replace

import numpy as np

from fashion_mmdet.classes import ATTRIBUTES, NUM_CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.datasets.index_store import open_index
from fashion_mmdet.evaluation.attributes import (
    AttributeHits,
    average_precisions,
    f1_by_attribute,
    find_hits,
    join_hits,
    majority_attributes,
)
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.fashionpedia import F1_THRESHOLDS, IGNORE_F1, match_image, mean_average_precision
from fashion_mmdet.evaluation.postprocess import ALL_DETECTIONS, Postprocess, postprocess
from fashion_mmdet.evaluation.truths import Truths
from fashion_mmdet.utils.progress import track
from fashion_mmdet.utils.tables import format_text


@dataclass(frozen=True)
class AttributeScore:
    """One attribute; `objects` counts the true objects that have it, `hits` those of them that were found."""

    attribute: int
    name: str
    objects: int
    hits: int
    f1: float
    majority_f1: float
    average_precision: float | None


@dataclass(frozen=True)
class AttributeScores:
    """The means over the attributes of at least `min_objects` true objects, and every attribute that some object has.

    `ap_iou_f1` is Fashionpedia's over both sets of thresholds, `ap_iou` the same with any F1; None without truth.
    """

    macro_f1: float
    majority_macro_f1: float
    mean_ap: float
    ap_iou_f1: float | None
    ap_iou: float | None
    images: int
    hits: int
    min_objects: int
    averaged: int
    attributes: list[AttributeScore]


def score_attributes(
    dump: str | os.PathLike,
    truth: str | os.PathLike,
    options: Postprocess,
    train: str | os.PathLike | None = None,
    min_objects: int = 10,
    size: tuple[int, int] | None = (512, 512),
) -> AttributeScores:
    """Score the attributes of a dump.

    Args:
        dump: Parquet file of a model with an attribute head.
        truth: CSV like train.csv.
        options: of the postprocessing, for the hits; Fashionpedia's AP takes all detections, without NMS.
        train: CSV of the objects that the majority guess learns from; None takes `truth` without the dump's images.
        min_objects: an attribute is in the means from so many true objects on.
        size: height and width of the masks compared; None for each photo's own.

    Raises:
        ValueError: no attribute head, an image without truth, or no attribute with enough true objects.
    """
    truths = Truths(truth, size)
    tested = [image_id for image_id, _, _ in read_info(dump).images]
    truths.check(*tested)
    without_attributes = tuple(range(NUM_MAIN_CATEGORIES, NUM_CATEGORIES))
    everything = replace(options, **{**ALL_DETECTIONS, 'drop_categories': without_attributes})
    f1_thresholds = np.array([*F1_THRESHOLDS, IGNORE_F1])
    hits, matched = [], []
    for raw in track(read_dump(dump), 'attributes', total=len(tested)):
        target = truths[raw.image_id]
        hits.append(find_hits(target, postprocess(raw, options, size)))
        matched.append(match_image(target, postprocess(raw, everything, size), f1_thresholds=f1_thresholds))
    marks, is_tested = truths.index.attribute_marks(), truths.index.objects_of(tested)
    if train:
        learned = open_index(train)
        majority = majority_attributes(learned.categories, learned.attribute_marks())
    else:
        majority = majority_attributes(truths.index.categories[~is_tested], marks[~is_tested])
    precision = mean_average_precision(matched)  # (T, F + 1)
    return summarize_attributes(
        join_hits(hits),
        marks[is_tested].sum(axis=0),
        majority,
        min_objects,
        len(tested),
        precision,
    )


def summarize_attributes(
    hits: AttributeHits, objects: np.ndarray, majority: np.ndarray, min_objects: int, images: int, precision: np.ndarray
) -> AttributeScores:
    """Average over the attributes.

    Args:
        hits: of all images.
        objects: (92,) int, number of true objects that have each attribute.
        majority: (46, 92) bool, of `attributes.majority_attributes`.
        min_objects: see `score_attributes`.
        images: number of images.
        precision: (T, F + 1) of `fashionpedia.mean_average_precision`; the last column for any F1.

    Raises:
        ValueError: no attribute has so many true objects.
    """
    averaged = objects >= max(min_objects, 1)
    if not averaged.any():
        raise ValueError(f'no attribute has {min_objects} true objects: lower --min-objects')
    f1 = f1_by_attribute(hits.true, hits.predicted)
    guess = f1_by_attribute(hits.true, majority[hits.categories])
    ap = average_precisions(hits.true, hits.probs)
    rows = [
        AttributeScore(
            index,
            ATTRIBUTES[index],
            int(objects[index]),
            int(hits.true[:, index].sum()),
            float(f1[index]),
            float(guess[index]),
            None if np.isnan(ap[index]) else float(ap[index]),
        )
        for index in np.flatnonzero(objects).tolist()
    ]
    return AttributeScores(
        macro_f1=float(f1[averaged].mean()),
        majority_macro_f1=float(guess[averaged].mean()),
        mean_ap=float(np.nan_to_num(ap[averaged]).mean()),
        ap_iou_f1=_number(precision[:, :-1]),
        ap_iou=_number(precision[:, -1]),
        images=images,
        hits=len(hits.categories),
        min_objects=min_objects,
        averaged=int(averaged.sum()),
        attributes=rows,
    )


def _number(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size and not np.isnan(values).any() else None


def format_attributes(scores: AttributeScores) -> str:
    """Lay the scores out for a terminal; attributes too rare for the means stand in brackets."""

    def cell(value: float | None) -> str:
        return '-' if value is None else f'{value:.3f}'

    rows = [
        (
            row.attribute,
            row.name if row.objects >= scores.min_objects else f'({row.name})',
            row.objects,
            row.hits,
            row.f1,
            row.majority_f1,
            row.average_precision,
        )
        for row in scores.attributes
    ]
    return '\n'.join(
        [
            format_text(('id', 'attribute', 'objects', 'hits', 'F1', 'majority', 'AP'), rows),
            f'{scores.images} images, {scores.hits} true hits; means over the {scores.averaged} attributes of at least '
            f'{scores.min_objects} true objects:',
            f'macro F1 {scores.macro_f1:.4f}   majority guess {scores.majority_macro_f1:.4f}   '
            f'mean AP {scores.mean_ap:.4f}',
            f'Fashionpedia: AP at IoU and F1 {cell(scores.ap_iou_f1)}   AP at IoU alone {cell(scores.ap_iou)}',
        ]
    )
