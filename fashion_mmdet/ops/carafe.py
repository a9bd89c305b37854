"""CARAFE (Wang et al., 2019): upsampling by a kernel predicted for each output pixel.

Shapes: features (B, C, H, W), masks (B, group_size * kernel_size^2, H * scale_factor, W * scale_factor), output
(B, C, H * scale_factor, W * scale_factor). mmcv's scratch tensors (`r*`) stay as they are except `rfeatures`, from
which its backward pass takes the features.
"""

import torch
from torch import Tensor
from torch.nn.functional import unfold


def carafe_forward(
    features: Tensor, masks: Tensor, rfeatures: Tensor, routput: Tensor, rmasks: Tensor, output: Tensor, **sizes: int
) -> None:
    """Upsample; writes into `output`."""
    rfeatures.copy_(features)
    output.copy_(_reassemble(features, masks, **sizes))


def carafe_backward(
    top_grad: Tensor,
    rfeatures: Tensor,
    masks: Tensor,
    rtop_grad: Tensor,
    rbottom_grad_hs: Tensor,
    rbottom_grad: Tensor,
    rmask_grad: Tensor,
    bottom_grad: Tensor,
    mask_grad: Tensor,
    **sizes: int,
) -> None:
    """Write the gradients of `carafe_forward` by features and masks into `bottom_grad` and `mask_grad`."""
    carafe_naive_backward(top_grad, rfeatures, masks, bottom_grad, mask_grad, **sizes)


def carafe_naive_forward(features: Tensor, masks: Tensor, output: Tensor, **sizes: int) -> None:
    """Upsample; writes into `output`."""
    output.copy_(_reassemble(features, masks, **sizes))


def carafe_naive_backward(
    top_grad: Tensor, features: Tensor, masks: Tensor, bottom_grad: Tensor, mask_grad: Tensor, **sizes: int
) -> None:
    """Write the gradients of `carafe_naive_forward` by features and masks into `bottom_grad` and `mask_grad`."""
    _, pull_back = torch.func.vjp(lambda *inputs: _reassemble(*inputs, **sizes), features, masks)
    for target, gradient in zip((bottom_grad, mask_grad), pull_back(top_grad), strict=True):
        target.copy_(gradient)


def _reassemble(features: Tensor, masks: Tensor, kernel_size: int, group_size: int, scale_factor: int) -> Tensor:
    """Multiply each source pixel's surroundings with the kernels of the scale x scale pixels that it becomes."""
    batch, channels, height, width = features.shape
    around = unfold(features, kernel_size, padding=kernel_size // 2)
    around = around.reshape(batch, group_size, channels // group_size, kernel_size**2, height, width)
    kernels = masks.reshape(batch, group_size, kernel_size**2, height, scale_factor, width, scale_factor)
    output = torch.einsum('bgckhw,bgkhywx->bgchywx', around, kernels)
    return output.reshape(batch, channels, height * scale_factor, width * scale_factor)
