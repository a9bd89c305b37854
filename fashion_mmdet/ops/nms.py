"""Non-maximum suppression: mmcv's `nms` and `nms_match`. Among equal scores the first box goes first."""

import torch
import torchvision
from torch import Tensor

from fashion_mmdet.ops.common import in_kernel_dtype


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Suppress boxes that overlap a better one.

    Args:
        boxes: (N, 4) float, x1 y1 x2 y2.
        scores: (N,) float.
        iou_threshold: boxes with a larger IoU are dropped.
        offset: 0, or 1 for boxes whose right and lower edges are inclusive.

    Returns:
        (K,) int64, indices of the boxes kept by descending score.
    """
    boxes, scores = in_kernel_dtype(boxes), in_kernel_dtype(scores)
    dtype = torch.promote_types(boxes.dtype, scores.dtype)  # torchvision wants one, a model's heads may give two
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    # mmcv compares in float32, where an IoU of 3 / 10 equals 0.3; as a float32 it exceeds a float64 0.3.
    iou_threshold = torch.tensor(iou_threshold, dtype=torch.float32).item()
    return torchvision.ops.nms(boxes.to(dtype), scores.to(dtype), iou_threshold)


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group boxes under the best one that they overlap.

    Args:
        dets: (N, 5) float, x1 y1 x2 y2 score.
        iou_threshold: boxes with at least this IoU join.

    Returns:
        Indices by group, the best box's first, each by descending score.
    """
    dets, groups = dets.float(), []
    order = dets[:, 4].argsort(descending=True, stable=True)
    while len(order):
        joins = torchvision.ops.box_iou(dets[order[:1], :4], dets[order, :4])[0] >= iou_threshold
        joins[0] = True  # even a box without area, whose IoU with itself is 0 / 0
        groups.append(order[joins].tolist())
        order = order[~joins]
    return groups
