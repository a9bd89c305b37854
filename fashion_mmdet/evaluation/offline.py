"""Scores without the model: of a submission, or of a dump of raw predictions."""

import os
from collections.abc import Iterable, Sequence

import numpy as np

from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.evaluation.dump import read_dump
from fashion_mmdet.evaluation.matching import ImageCounts, count_pairs
from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction
from fashion_mmdet.evaluation.scoring import Scores, summarize
from fashion_mmdet.evaluation.submission import read_predictions
from fashion_mmdet.evaluation.truths import Truths


def score_submission(
    submission: str | os.PathLike,
    truth: str | os.PathLike,
    size: tuple[int, int] = (512, 512),
    average: str = 'image',
    match: str = 'category',
    images: Sequence[str] | None = None,
) -> tuple[Scores, str]:
    """Score a submission.

    Args:
        submission: CSV of masks of `size`.
        truth: CSV like train.csv.
        size: height and width of the submitted masks.
        average, match: see `scoring.summarize` and `matching.count_images`.
        images: images to score; None for those of the submission.

    Returns:
        The scores, and the report of the truth's audit ('' where nothing is wrong).

    Raises:
        ValueError: an invalid submission, or an image without truth.
    """
    found = read_predictions(submission, size)
    listed = found if images is None else dict.fromkeys(images)
    predictions = (
        found.get(image_id) or Prediction(image_id, size, np.zeros(0, np.int64), np.zeros(0), []) for image_id in listed
    )
    return _score(predictions, truth, size, average, match)


def score_dump(
    dump: str | os.PathLike,
    truth: str | os.PathLike,
    options: Postprocess,
    size: tuple[int, int] | None = (512, 512),
    average: str = 'image',
    match: str = 'category',
) -> tuple[Scores, str]:
    """Postprocess and score a dump of raw predictions.

    Args:
        dump: Parquet file that tools/test.py wrote.
        truth: CSV like train.csv.
        options: thresholds and policies.
        size: height and width of the masks compared; None for each photo's own.
        average, match: see `scoring.summarize` and `matching.count_images`.

    Returns:
        The scores, and the report of the truth's audit ('' where nothing is wrong).

    Raises:
        ValueError: not a dump, or an image without truth.
    """
    return _score((postprocess(raw, options, size) for raw in read_dump(dump)), truth, size, average, match)


def count_predictions(
    predictions: Iterable[Prediction],
    truth: str | os.PathLike,
    size: tuple[int, int] | None = (512, 512),
    match: str = 'category',
) -> tuple[list[ImageCounts], Audit]:
    """Count every image's matches.

    Args:
        predictions: masks of `size`.
        truth, size, match: as in `score_dump`.

    Returns:
        The counts in the order of the predictions, and the truth's audit.
    """
    truths = Truths(truth, size)
    pairs = ((truths[prediction.image_id], prediction) for prediction in predictions)
    return list(count_pairs(pairs, match)), truths.index.audit


def _score(
    predictions: Iterable[Prediction], truth: str | os.PathLike, size: tuple[int, int] | None, average: str, match: str
) -> tuple[Scores, str]:
    counts, audit = count_predictions(predictions, truth, size, match)
    return summarize(counts, average), audit.report()
