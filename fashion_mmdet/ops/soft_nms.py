"""Soft non-maximum suppression (Bodla et al., 2017): mmcv's `softnms`, compiled, in float32 as mmcv computes."""

import numpy as np
import torch
from torch import Tensor

from fashion_mmdet.utils.jit import compiled

NAIVE, LINEAR, GAUSSIAN = range(3)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of boxes that overlap a better one instead of suppressing them.

    All tensors are on the CPU, where mmcv moves them.

    Args:
        boxes: (N, 4) float, x1 y1 x2 y2.
        scores: (N,) float.
        dets: (N, 5), its first K rows are filled in place: x1 y1 x2 y2 and the final score, by descending score.
        iou_threshold: where naive and linear decay begin.
        sigma: width of the Gaussian decay exp(-IoU^2 / sigma).
        min_score: boxes that fall below are dropped.
        method: `NAIVE` (to 0), `LINEAR` (by 1 - IoU) or `GAUSSIAN`.
        offset: 0, or 1 for boxes whose right and lower edges are inclusive.

    Returns:
        (K,) int64, indices of the boxes kept, in the order of `dets`.
    """
    corners, final, order = boxes.float().numpy(), scores.float().numpy().copy(), np.arange(len(scores))
    iou_threshold, sigma, min_score, offset = map(np.float32, (iou_threshold, sigma, min_score, offset))
    kept = _decay(corners, final, order, iou_threshold, sigma, min_score, method, offset)
    order = order[:kept]
    dets[:kept] = torch.from_numpy(np.hstack([corners[order], final[order, None]]))
    return torch.from_numpy(order)


@compiled
def _decay(boxes, scores, order, iou_threshold, sigma, min_score, method, offset):
    """Sort `order` (N,) int64 by final score, the boxes kept first, lower `scores`, and return how many are kept."""
    zero, one = np.float32(0), np.float32(1)
    areas = (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)
    kept, done = len(order), 0
    while done < kept:
        best = done
        for place in range(done + 1, kept):
            if scores[order[place]] > scores[order[best]]:
                best = place
        order[done], order[best] = order[best], order[done]
        winner = order[done]
        done += 1
        place = done
        while place < kept:
            other = order[place]
            width = min(boxes[winner, 2], boxes[other, 2]) - max(boxes[winner, 0], boxes[other, 0]) + offset
            height = min(boxes[winner, 3], boxes[other, 3]) - max(boxes[winner, 1], boxes[other, 1]) + offset
            inner = max(width, zero) * max(height, zero)
            union = areas[winner] + areas[other] - inner
            iou = inner / union if union != 0 else zero  # two boxes without area; mmcv's score would be NaN
            if method == GAUSSIAN:
                scores[other] *= np.exp(-iou * iou / sigma)
            elif iou >= iou_threshold:
                scores[other] *= one - iou if method == LINEAR else zero
            if scores[other] < min_score:
                kept -= 1
                order[place] = order[kept]  # the last one takes its place, as in mmcv: among equal scores this decides
            else:
                place += 1
    return kept
