"""The score, and the table by class, from the counts of every image."""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from fashion_mmdet.classes import CATEGORIES
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS, ImageCounts
from fashion_mmdet.utils.tables import format_text

AVERAGES = ('image', 'image_class')


@dataclass(frozen=True)
class ClassScore:
    """One class over all images, at IoU 0.5; a share of nothing is None."""

    category: int
    name: str
    objects: int
    predicted: int
    sensitivity: float | None
    precision: float | None
    mean_iou: float | None


@dataclass(frozen=True)
class Scores:
    """The competition's score, the same at IoU 0.5 and 0.75 alone, and the classes that are true or predicted."""

    score: float
    score_50: float
    score_75: float
    images: int
    classes: list[ClassScore]


def summarize(images: Sequence[ImageCounts], average: str = 'image') -> Scores:
    """Average the images' scores.

    The score of an image is the mean over thresholds of TP / (TP + FP + FN), 1 where nothing is there and nothing
    predicted. Sums are exact (math.fsum), so neither the order of the images nor the number of processes that counted
    them changes a digit.

    Args:
        images: counts at `IOU_THRESHOLDS`.
        average: 'image' pools the counts over the classes of an image (the competition's formula, and the reference
            report's); 'image_class' averages over all pairs of an image and a class that is true or predicted there
            (the 2019 winner's local formula).

    Raises:
        ValueError: no images, or an unknown `average`.
    """
    if average not in AVERAGES:
        raise ValueError(f'average={average!r}: one of {", ".join(AVERAGES)}')
    if not images:
        raise ValueError('no images to score')
    counts = np.concatenate([image.counts for image in images])  # (all images' classes, T, 3)
    rows = np.array([len(image.counts) for image in images])
    if average == 'image':
        pooled = _pool(counts, rows)
    else:
        pooled = np.concatenate([counts, np.zeros(((rows == 0).sum(), *counts.shape[1:]), np.int64)])
    ratios = tp_ratios(pooled)  # (images or pairs, T)
    by_threshold = [math.fsum(column) / len(ratios) for column in ratios.T]
    return Scores(
        score=math.fsum(by_threshold) / len(by_threshold),
        score_50=by_threshold[0],
        score_75=by_threshold[int(np.flatnonzero(IOU_THRESHOLDS == 0.75)[0])],
        images=len(images),
        classes=_score_classes(images, counts),
    )


def average_precision(scores: np.ndarray, true_positives: np.ndarray, objects: int) -> float | None:
    """Return COCO's average precision of one class, None without true objects.

    Args:
        scores: (P,) of the class's predictions in all images; ties keep their order.
        true_positives: (P,) bool.
        objects: number of true objects.

    Returns:
        The mean over 101 recalls of the best precision at that recall or beyond; in [0, 1].
    """
    if not objects:
        return None
    order = np.argsort(-np.asarray(scores, np.float64), kind='stable')
    found = np.cumsum(np.asarray(true_positives, bool)[order])
    precision = found / np.arange(1, len(found) + 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)  # beyond the highest recall: 0
    return float(envelope[np.searchsorted(found / objects, np.linspace(0, 1, 101), side='left')].mean())


def tp_ratios(counts: np.ndarray) -> np.ndarray:
    """Return TP / (TP + FP + FN) of (..., 3) counts, 1 where all are zero."""
    total = counts.sum(axis=-1)
    return np.where(total == 0, 1.0, counts[..., 0] / np.maximum(total, 1))


def _pool(counts: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sum the counts over each image's classes, (images, T, 3); zeros for an image without any."""
    sums = np.concatenate([np.zeros((1, *counts.shape[1:]), np.int64), np.cumsum(counts, axis=0)])
    ends = np.cumsum(rows)
    return sums[ends] - sums[ends - rows]


def _score_classes(images: Sequence[ImageCounts], counts: np.ndarray) -> list[ClassScore]:
    categories = np.concatenate([image.categories for image in images])
    order = np.argsort(categories, kind='stable')
    present, starts = np.unique(categories[order], return_index=True)
    totals = np.add.reduceat(counts[order, 0], starts) if len(starts) else counts[:, 0]
    ious = np.split(np.concatenate([image.tp_ious for image in images])[order], starts[1:])
    return [
        _score_class(category, *total, math.fsum(values))
        for category, total, values in zip(present.tolist(), totals.tolist(), ious, strict=False)
        if any(total)
    ]


def _score_class(category: int, tp: int, fp: int, fn: int, iou_sum: float) -> ClassScore:
    def share(part: float, whole: int) -> float | None:
        return part / whole if whole else None

    return ClassScore(
        category=category,
        name=CATEGORIES[category],
        objects=tp + fn,
        predicted=tp + fp,
        sensitivity=share(tp, tp + fn),
        precision=share(tp, tp + fp),
        mean_iou=share(iou_sum, tp),
    )


def format_scores(scores: Scores) -> str:
    """Lay the classes and the score out for a terminal."""
    return (
        f'{format_classes(scores.classes)}\n{scores.images} images   score {scores.score:.5f}   '
        f'at IoU 0.5 {scores.score_50:.5f}   at IoU 0.75 {scores.score_75:.5f}'
    )


def format_classes(classes: Sequence[ClassScore]) -> str:
    """Lay the classes out as a table for a terminal or a log."""
    header = ('id', 'class', 'objects', 'predicted', 'sensitivity', 'precision', 'mean IoU')
    return format_text(header, map(astuple, classes))
