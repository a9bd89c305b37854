"""What a filter learns from: how well each raw detection outlines a true object of its class. No torch, no files."""

import numpy as np

from fashion_mmdet.evaluation.matching import IOU_THRESHOLDS, mask_ious
from fashion_mmdet.evaluation.paste_loops import paste_masks
from fashion_mmdet.evaluation.predictions import RawPrediction, Truth
from fashion_mmdet.rle_batch import edges_to_coco

HIT_IOU = IOU_THRESHOLDS[0]

def best_ious(raw: RawPrediction, truth: Truth, mask_thr: float = 0.5) -> np.ndarray:
    """Compare every detection's mask with the true objects of its class, whoever else lies on them.

    A duplicate is as good as the mask it doubles: which of them stays is left to NMS, which keeps the more confident.

    Args:
        raw: what the model said.
        truth: of the same image; its size is that of the comparison.
        mask_thr: a pixel is in from this probability on.

    Returns:
        (N,) float, the highest IoU; 0 where no true object has the class.
    """
    height, width = truth.size
    scale = np.array([width / raw.width, height / raw.height] * 2)
    masks = edges_to_coco(*paste_masks(raw.mask_probs.astype(np.float32), raw.boxes * scale, height, width,
                                       np.float32(mask_thr)), height, width)
    ious = np.zeros(len(raw.scores))
    for category in np.intersect1d(raw.categories, truth.categories):
        rows, columns = np.flatnonzero(raw.categories == category), np.flatnonzero(truth.categories == category)
        ious[rows] = mask_ious([masks[row] for row in rows], [truth.masks[column] for column in columns]).max(axis=1)
    return ious


def sweep_gains(ious: np.ndarray) -> np.ndarray:
    """Give the share of the sweep's IoU thresholds at which each detection hits; (N,) float in [0, 1]."""
    return (ious[:, None] > IOU_THRESHOLDS).mean(axis=1)
