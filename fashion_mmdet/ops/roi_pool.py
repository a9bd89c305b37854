"""RoIPool as mmcv has it: bins of fractional boxes (torchvision rounds the boxes first)."""

import torch
from torch import Tensor

from fashion_mmdet.ops.common import in_kernel_dtype


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Take the maximum of each bin of each box.

    Args:
        input: (B, C, H, W) float.
        rois: (N, 5) float, batch index and x1 y1 x2 y2 in image pixels, the last ones inclusive.
        output: (N, C, pooled_height, pooled_width), filled in place; 0 for a bin without pixels.
        argmax: of the same shape, int32, filled in place: the maximum's pixel, row-major; -1 for a bin without pixels.
        pooled_height, pooled_width: rows and columns of bins.
        spatial_scale: feature pixels per image pixel.
    """
    height, width = input.shape[2:]
    rois = in_kernel_dtype(rois)
    low, high = rois[:, 1:3] * spatial_scale, (rois[:, 3:] + 1) * spatial_scale  # (N, 2) x y
    has_area = (high > low).all(1)
    for n, image in enumerate(rois[:, 0].long().tolist()):
        rows, row_used = _bin_pixels(low[n, 1], high[n, 1], pooled_height, height)
        columns, column_used = _bin_pixels(low[n, 0], high[n, 0], pooled_width, width)
        used = row_used[:, None, :, None] & column_used[:, None] & has_area[n]  # (rows, columns, pixels down, across)
        pixels = (rows[:, None, :, None] * width + columns[:, None]).flatten(2)
        values = input[image].flatten(1)[:, pixels].masked_fill(~used.flatten(2), -torch.inf)
        best, where = values.max(-1)  # (C, rows, columns)
        found = used.flatten(2).any(-1)
        output[n] = torch.where(found, best, 0)
        argmax[n] = torch.where(found, pixels.expand_as(values).gather(-1, where[..., None])[..., 0], -1)


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Add each bin's gradient to its maximum's pixel in `grad_input` (B, C, H, W)."""
    planes = grad_input.flatten(0, 1).flatten(1)  # (B * C, H * W), the same memory
    channels = grad_input.shape[1]
    plane = rois[:, :1].long() * channels + torch.arange(channels, device=rois.device)  # (N, C)
    found = argmax >= 0
    index = (plane[:, :, None, None].expand_as(argmax)[found], argmax[found].long())
    planes.index_put_(index, grad_output[found], accumulate=True)


def _bin_pixels(low: Tensor, high: Tensor, bins: int, length: int) -> tuple[Tensor, Tensor]:
    """List the feature rows (or columns) that each bin touches.

    Returns:
        (bins, largest bin) int64 indices, and which of them count.
    """
    edges = torch.arange(bins + 1, device=low.device) * ((high - low) / bins) + low
    first = edges[:-1].floor().long().clamp(0, length)
    end = edges[1:].ceil().long().clamp(0, length)
    index = first[:, None] + torch.arange(max(int((end - first).max()), 1), device=low.device)
    return index.clamp(max=length - 1), index < end[:, None]
