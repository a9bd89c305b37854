"""Scoring, postprocessing and writing mask by mask with numpy and pycocotools: plain, what the fast ways equal."""

import csv
import math

import numpy as np
from pycocotools import mask as coco_mask

from fashion_mmdet.classes import CATEGORIES, format_class_id
from fashion_mmdet.datasets.records import SUBMISSION_COLUMNS
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS, ImageCounts, mask_ious
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction, Truth
from fashion_mmdet.evaluation.scoring import ClassScore, Scores
from fashion_mmdet.evaluation.submission import EMPTY_CLASS_ID
from fashion_mmdet.masks import rle


def match_greedily(ious: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Assign predictions, best score first, each to the free true object it overlaps most."""
    matched = np.full((len(thresholds), ious.shape[0]), -1)
    if ious.size == 0:
        return matched
    free = np.ones((len(thresholds), ious.shape[1]), bool)
    rows = np.arange(len(thresholds))
    for index, overlap in enumerate(ious):
        candidates = np.where(free, overlap, -1.0)  # (T, G)
        best = candidates.argmax(axis=1)
        hit = candidates[rows, best] > thresholds
        matched[hit, index] = best[hit]
        free[rows[hit], best[hit]] = False
    return matched


def _counts(matched: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    hits = (matched >= 0).sum(axis=1)
    return np.stack([hits, shape[0] - hits, shape[1] - hits], axis=1)


def count_image(
    truth: Truth, prediction: Prediction, match: str = 'category', thresholds: np.ndarray = IOU_THRESHOLDS
) -> ImageCounts:
    """Match one image's predictions with its true objects, class by class."""
    true_keys, predicted_keys = _keys(truth, match), _keys(prediction, match)
    categories, counts, tp_ious = [], [], []
    for key in dict.fromkeys([*true_keys, *predicted_keys]):
        true = [index for index, other in enumerate(true_keys) if other == key]
        predicted = [index for index, other in enumerate(predicted_keys) if other == key]
        ious = mask_ious([prediction.masks[index] for index in predicted], [truth.masks[index] for index in true])
        matched = match_greedily(ious, thresholds)
        hits = np.flatnonzero(matched[0] >= 0)
        categories.append(int(key.split('_')[0]))
        counts.append(_counts(matched, ious.shape))
        tp_ious.append(float(ious[hits, matched[0, hits]].sum()))
    return ImageCounts(
        image_id=truth.image_id,
        categories=np.array(categories, np.int64),
        counts=np.array(counts, np.int64).reshape(len(categories), len(thresholds), 3),
        tp_ious=np.array(tp_ious, np.float64),
    )


def _keys(objects: Truth | Prediction, match: str) -> list[str]:
    """Name the class of every object: objects can match where the names are equal."""
    if match == 'category':
        return [str(category) for category in objects.categories]
    return [
        format_class_id(category, attributes)
        for category, attributes in zip(objects.categories, objects.attributes, strict=True)
    ]


def summarize(images: list[ImageCounts], average: str = 'image') -> Scores:
    """Average the images' scores."""
    pooled = [image.counts.sum(axis=0, keepdims=True) for image in images]
    if average == 'image_class':
        pooled = [image.counts if len(image.counts) else total for image, total in zip(images, pooled, strict=True)]
    ratios = _tp_ratios(np.concatenate(pooled))  # (images or pairs, T)
    by_threshold = [math.fsum(column) / len(ratios) for column in ratios.T]
    return Scores(
        score=math.fsum(by_threshold) / len(by_threshold),
        score_50=by_threshold[0],
        score_75=by_threshold[int(np.flatnonzero(IOU_THRESHOLDS == 0.75)[0])],
        images=len(images),
        classes=_score_classes(images),
    )


def _tp_ratios(counts: np.ndarray) -> np.ndarray:
    """TP / (TP + FP + FN) of (..., 3) counts; 1 where all are zero."""
    total = counts.sum(axis=-1)
    return np.where(total == 0, 1.0, counts[..., 0] / np.maximum(total, 1))


def _score_classes(images: list[ImageCounts]) -> list[ClassScore]:
    counts = np.zeros((len(CATEGORIES), 3), np.int64)
    ious: list[list[float]] = [[] for _ in CATEGORIES]
    for image in images:
        np.add.at(counts, image.categories, image.counts[:, 0])
        for category, value in zip(image.categories, image.tp_ious, strict=True):
            ious[category].append(float(value))
    return [
        _score_class(category, *map(int, counts[category]), math.fsum(ious[category]))
        for category in np.flatnonzero(counts.any(axis=1)).tolist()
    ]


def _score_class(category: int, hits: int, spurious: int, missed: int, iou_sum: float) -> ClassScore:
    def share(part: float, whole: int) -> float | None:
        return part / whole if whole else None

    return ClassScore(
        category=category,
        name=CATEGORIES[category],
        objects=hits + missed,
        predicted=hits + spurious,
        sensitivity=share(hits, hits + missed),
        precision=share(hits, hits + spurious),
        mean_iou=share(iou_sum, hits),
    )


def postprocess(raw: RawPrediction, options: Postprocess, size: tuple[int, int] | None = None) -> Prediction:
    """Turn one image's raw prediction into final masks."""
    height, width = size or (raw.height, raw.width)
    wanted = raw.scores >= options.score_thresholds()[raw.categories]
    wanted &= ~np.isin(raw.categories, list(options.drop_categories))
    chosen = np.flatnonzero(wanted)
    chosen = chosen[np.argsort(-raw.scores[chosen], kind='stable')]
    if options.max_per_image is not None:
        chosen = chosen[: options.max_per_image]
    scale = np.array([width / raw.width, height / raw.height] * 2)
    masks = [
        paste(raw.mask_probs[index], raw.boxes[index] * scale, height, width, options.mask_thr) for index in chosen
    ]
    categories = raw.categories[chosen]
    kept = np.array([mask[0].size > 0 for mask in masks], dtype=bool)
    if options.nms_iou is not None:
        kept = mask_nms(masks, categories, kept, (height, width), options.nms_iou)
    if options.cross_class_iou is not None:
        kept = mask_nms(masks, np.zeros_like(categories), kept, (height, width), options.cross_class_iou)
    if options.overlap != 'none':
        groups = categories if options.overlap == 'class' else np.zeros_like(categories)
        masks = suppress_overlap(masks, groups, kept)
    final = [index for index in np.flatnonzero(kept) if rle.area(masks[index]) >= max(options.min_area, 1)]
    return Prediction(
        image_id=raw.image_id,
        size=(height, width),
        categories=categories[final],
        scores=raw.scores[chosen][final],
        masks=[rle.runs_to_coco(masks[index], height, width) for index in final],
    )


def paste(probs: np.ndarray, box: np.ndarray, height: int, width: int, threshold: float) -> rle.Runs:
    """Scale a mask to its box and threshold it, touching the box's pixels only."""
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


def mask_nms(
    masks: list[rle.Runs], groups: np.ndarray, kept: np.ndarray, size: tuple[int, int], max_iou: float
) -> np.ndarray:
    """Non-maximum suppression by mask IoU within each group."""
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
                alive[index + 1 :] &= ious[index, index + 1 :] <= max_iou
        kept[members] = alive
    return kept


def suppress_overlap(masks: list[rle.Runs], groups: np.ndarray, kept: np.ndarray) -> list[rle.Runs]:
    """Give each pixel that several masks of a group claim to the first of them."""
    result = list(masks)
    claimed: dict[int, rle.Runs] = {}
    for index in np.flatnonzero(kept):
        group = int(groups[index])
        if group in claimed:
            result[index] = subtract_runs(masks[index], claimed[group])
            claimed[group] = rle.unite(claimed[group], result[index])
        else:
            claimed[group] = masks[index]
    return result


def write_submission(path: str, predictions: list[Prediction], image_ids: list[str]) -> None:
    """Write a submission row by row, each pixel of a category to the first mask that claims it."""
    rest = dict.fromkeys(image_ids)
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(SUBMISSION_COLUMNS)
        for prediction in predictions:
            runs = [rle.coco_to_runs(mask) for mask in prediction.masks]
            for mask, category, attributes in zip(
                suppress_overlap(runs, prediction.categories, np.ones(len(runs), bool)),
                prediction.categories,
                prediction.attributes,
                strict=True,
            ):
                if mask[0].size:
                    rest.pop(prediction.image_id, None)
                    writer.writerow(
                        (prediction.image_id, rle.runs_to_kaggle(mask), format_class_id(category, attributes))
                    )
        writer.writerows((image_id, '', EMPTY_CLASS_ID) for image_id in rest)


def subtract_runs(runs: rle.Runs, other: rle.Runs) -> rle.Runs:
    """Take the pixels of `other` away from `runs`."""
    if runs[0].size == 0 or other[0].size == 0:
        return runs
    edges = np.unique(np.concatenate([*runs, *other]))
    inside = _covers(runs, edges) & ~_covers(other, edges)
    return rle.merge_runs(edges[:-1][inside[:-1]], edges[1:][inside[:-1]])


def _covers(runs: rle.Runs, positions: np.ndarray) -> np.ndarray:
    """Tell for each position whether it lies in a run."""
    return np.searchsorted(runs[0], positions, 'right') > np.searchsorted(runs[1], positions, 'right')
