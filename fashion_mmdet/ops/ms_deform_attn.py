"""Multi-scale deformable attention: mmcv's own PyTorch version where mmcv would call its CUDA kernel."""

import torch
from torch import Tensor


def ms_deform_attn_forward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    im2col_step: int,
) -> Tensor:
    """Sum values sampled at learned places of several feature maps.

    Args:
        value: (B, pixels of all levels, heads, C).
        value_spatial_shapes: (levels, 2) int64, height and width.
        value_level_start_index: unused, levels follow each other.
        sampling_locations: (B, queries, heads, levels, points, 2), x y in [0, 1] of a level.
        attention_weights: (B, queries, heads, levels, points).
        im2col_step: unused.

    Returns:
        (B, queries, heads * C).
    """
    # Imported late: mmcv loads this module while it loads that one.
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    return multi_scale_deformable_attn_pytorch(value, value_spatial_shapes, sampling_locations, attention_weights)


def ms_deform_attn_backward(
    value: Tensor,
    value_spatial_shapes: Tensor,
    value_level_start_index: Tensor,
    sampling_locations: Tensor,
    attention_weights: Tensor,
    grad_output: Tensor,
    grad_value: Tensor,
    grad_sampling_loc: Tensor,
    grad_attn_weight: Tensor,
    im2col_step: int,
) -> None:
    """Write the gradients of `ms_deform_attn_forward` into `grad_*`."""

    def attend(value: Tensor, locations: Tensor, weights: Tensor) -> Tensor:
        return ms_deform_attn_forward(
            value, value_spatial_shapes, value_level_start_index, locations, weights, im2col_step
        )

    _, pull_back = torch.func.vjp(attend, value, sampling_locations, attention_weights)
    targets = (grad_value, grad_sampling_loc, grad_attn_weight)
    for target, gradient in zip(targets, pull_back(grad_output), strict=True):
        target.copy_(gradient)
