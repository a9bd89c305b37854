"""Masked convolution: mmcv computes a convolution at chosen pixels alone, from columns of their surroundings."""

import torch
from torch import Tensor
from torch.nn.functional import pad


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Copy what the kernel sees at M pixels of `im` (1, C, H, W) into `col` (C * kernel_h * kernel_w, M)."""
    rows = mask_h_idx + torch.arange(kernel_h, device=im.device)[:, None, None]  # (kH, 1, M)
    columns = mask_w_idx + torch.arange(kernel_w, device=im.device)[:, None]  # (kW, M)
    col.copy_(pad(im[0], (pad_w, pad_w, pad_h, pad_h))[:, rows, columns].flatten(0, 2))


def masked_col2im_forward(
    col: Tensor, mask_h_idx: Tensor, mask_w_idx: Tensor, im: Tensor, height: int, width: int, channels: int
) -> None:
    """Write the results `col` (C, M) to their pixels of `im` (1, C, height, width)."""
    im[0][:, mask_h_idx, mask_w_idx] = col
