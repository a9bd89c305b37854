"""What a filter learns from: which raw detections would count as hits of the sweep."""

from dataclasses import replace

import numpy as np

from fashion_mmdet.analysis.tuning.tables import build_table
from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS
from fashion_mmdet.evaluation.postprocess import Postprocess
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth


def sweep_hits(raw: RawPrediction, truth: Truth, options: Postprocess, match: str = 'category') -> np.ndarray:
    """Tell at which IoUs each detection hits if all detections are taken, whatever their score.

    A detection that NMS suppresses, and one that comes second to an object, is no hit: a filter learns to leave
    duplicates out.

    Args:
        raw: what the model said.
        truth: of the same image; its size is that of the comparison.
        options: of NMS, masks and overlap; score thresholds, dropped categories and any filter are left out.
        match: 'category', or 'class_id': the attributes must agree too.

    Returns:
        (N, T) bool, hits at each of `IOU_THRESHOLDS`.
    """
    count = len(raw.scores)
    order = np.argsort(-raw.scores, kind='stable')
    places = np.empty(count, np.int64)
    places[order] = np.arange(count)
    numbered = replace(raw, scores=(1 - places / (2 * max(count, 1))).astype(np.float32))  # tells them apart afterwards
    table = build_table(numbered, truth, replace(options, filter=None, max_per_image=None), 0.0, truth.size, match)
    rows, row_hits = table.hits(options.min_area)
    hits = np.zeros((count, len(IOU_THRESHOLDS)), bool)
    hits[order[np.rint((1 - table.scores[rows].astype(np.float64)) * 2 * count).astype(np.int64)]] = row_hits
    return hits
