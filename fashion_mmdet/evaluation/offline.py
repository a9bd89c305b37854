"""Scores without the model: of a submission, or of a dump of raw predictions. No torch."""

import os
from collections.abc import Sequence

import numpy as np

from fashion_mmdet.datasets.records import Record, read_records
from fashion_mmdet.evaluation.matching import ImageCounts, count_image
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from fashion_mmdet.evaluation.scoring import Scores, summarize
from fashion_mmdet.evaluation.submission import read_predictions
from fashion_mmdet.rle import resize_coco


def truth_from_record(record: Record, size: tuple[int, int] | None = None) -> Truth:
    """Take an annotated image's objects, scaled as `cv2.resize(INTER_NEAREST)` would; None keeps the photo's size."""
    size = size or (record.height, record.width)
    return Truth(
        image_id=record.image_id, size=size,
        categories=np.array([instance.category for instance in record.instances], np.int64),
        masks=[resize_coco(instance.mask, size) for instance in record.instances],
        attributes=[instance.attributes for instance in record.instances])


def score_submission(submission: str | os.PathLike, truth: str | os.PathLike, size: tuple[int, int] = (512, 512),
                     average: str = 'image', match: str = 'category',
                     images: Sequence[str] | None = None) -> tuple[Scores, str]:
    """Score a submission.

    Args:
        submission: CSV of masks of `size`.
        truth: CSV like train.csv.
        size: height and width of the submitted masks.
        average: see `scoring.summarize`.
        match: see `matching.count_image`.
        images: score these; None for the images of the submission.

    Returns:
        The scores, and the report of the truth's audit ('' where nothing is wrong).

    Raises:
        ValueError: an invalid submission, or an image without truth.
    """
    predictions = read_predictions(submission, size)
    records, audit = read_records(truth)
    known = {record.image_id: record for record in records}
    counts: list[ImageCounts] = []
    for image_id in predictions if images is None else dict.fromkeys(images):
        if image_id not in known:
            raise ValueError(f'{truth}: no image {image_id!r}; --images restricts the score to images that are there')
        prediction = predictions.get(image_id) or Prediction(image_id, size, np.zeros(0, np.int64), np.zeros(0), [])
        counts.append(count_image(truth_from_record(known[image_id], size), prediction, match))
    return summarize(counts, average), audit.report()
