"""The attributes of a dump against a truth: read, postprocess, pair, summarize."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from rich.progress import track

from fashion_mmdet.classes import ATTRIBUTES, NUM_ATTRIBUTES, NUM_CATEGORIES, NUM_MAIN_CATEGORIES
from fashion_mmdet.datasets.multi_hot import to_multi_hot
from fashion_mmdet.datasets.records import Record, read_records
from fashion_mmdet.evaluation.attributes import (
    AttributeHits,
    average_precisions,
    f1_by_attribute,
    find_hits,
    join_hits,
    majority_attributes,
)
from fashion_mmdet.evaluation.dump import read_dump, read_info
from fashion_mmdet.evaluation.fashionpedia import F1_THRESHOLDS, IGNORE_F1, judge_image, mean_average_precision
from fashion_mmdet.evaluation.offline import truth_from_record
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess

# AP asks for all detections; the categories from 13 on have no attributes.
ALL_DETECTIONS = dict(
    score_thr=0.0,
    nms_iou=None,
    cross_class_iou=None,
    overlap='none',
    max_per_image=None,
    drop_categories=tuple(range(NUM_MAIN_CATEGORIES, NUM_CATEGORIES)),
)


@dataclass(frozen=True)
class AttributeScore:
    """One attribute; `objects` counts the true objects that have it, `hits` those of them that were hit."""

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
    known = {record.image_id: record for record in read_records(truth)[0]}
    tested = [image_id for image_id, _, _ in read_info(dump).images]
    for image_id in tested:
        if image_id not in known:
            raise ValueError(f'{truth}: no image {image_id!r}')
    everything = replace(options, **ALL_DETECTIONS)
    f1_thresholds = np.array([*F1_THRESHOLDS, IGNORE_F1])
    hits, judged = [], []
    for raw in track(read_dump(dump), 'attributes', total=len(tested)):
        target = truth_from_record(known[raw.image_id], size)
        hits.append(find_hits(target, postprocess(raw, options, size)))
        judged.append(judge_image(target, postprocess(raw, everything, size), f1_thresholds=f1_thresholds))
    learned_from = (
        read_records(train)[0]
        if train
        else [record for image_id, record in known.items() if image_id not in set(tested)]
    )
    precision = mean_average_precision(judged)  # (T, F + 1)
    return summarize_attributes(
        join_hits(hits),
        _objects([known[image_id] for image_id in tested])[1].sum(axis=0),
        majority_attributes(*_objects(learned_from)),
        min_objects,
        len(tested),
        precision,
    )


def _objects(records: Iterable[Record]) -> tuple[np.ndarray, np.ndarray]:
    """List all objects' categories (N,) and attributes (N, 92) bool."""
    instances = [instance for record in records for instance in record.instances]
    return (
        np.array([instance.category for instance in instances], np.int64),
        to_multi_hot([instance.attributes for instance in instances]).reshape(-1, NUM_ATTRIBUTES),
    )


def summarize_attributes(
    hits: AttributeHits, objects: np.ndarray, majority: np.ndarray, min_objects: int, images: int, precision: np.ndarray
) -> AttributeScores:
    """Average over the attributes.

    Args:
        hits: of all images.
        objects: (92,) int, the true objects that have each attribute.
        majority: (46, 92) bool, of `attributes.majority_attributes`.
        min_objects: see `score_attributes`.
        images: their number.
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

    lines = [f'{"id":>4}  {"attribute":<36} {"objects":>8} {"hits":>6} {"F1":>6} {"majority":>9} {"AP":>6}']
    for row in scores.attributes:
        name = row.name if row.objects >= scores.min_objects else f'({row.name})'
        lines.append(
            f'{row.attribute:>4}  {name:<36} {row.objects:>8} {row.hits:>6} {row.f1:>6.3f} '
            f'{row.majority_f1:>9.3f} {cell(row.average_precision):>6}'
        )
    return '\n'.join(
        [
            *lines,
            f'{scores.images} images, {scores.hits} true hits; means over the {scores.averaged} attributes of at least '
            f'{scores.min_objects} true objects:',
            f'macro F1 {scores.macro_f1:.4f}   majority guess {scores.majority_macro_f1:.4f}   '
            f'mean AP {scores.mean_ap:.4f}',
            f'Fashionpedia: AP at IoU and F1 {cell(scores.ap_iou_f1)}   AP at IoU alone {cell(scores.ap_iou)}',
        ]
    )
