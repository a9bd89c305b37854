"""RoIAlign: torchvision's kernels, and on a CPU a backward pass as one sparse matrix product.

A bin's value is a weighted sum of feature pixels, the same for every channel. torchvision's backward kernel works the
weights out anew for each of the 256 channels, on one core: 14 % of an R50-FPN training step at 256 px.
"""

import warnings

import torch
import torchvision  # noqa: F401  registers torch.ops.torchvision
from torch import Tensor

from fashion_mmdet.ops.common import in_kernel_dtype

MAX_COORDINATE = 1e7  # image pixels
MAX_SAMPLES = 64  # a bin and axis, far beyond what FPN's levels give; larger ones would take much memory here


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Pool each box of a feature map to a fixed grid by averaged bilinear samples; writes into `output`.

    Args:
        input: (B, C, H, W) float.
        rois: (N, 5) float, batch index and x1 y1 x2 y2 in image pixels.
        output: (N, C, aligned_height, aligned_width), filled in place.
        argmax_y: unused by average pooling.
        argmax_x: unused by average pooling.
        aligned_height: rows of the grid.
        aligned_width: columns of the grid.
        spatial_scale: feature pixels an image pixel.
        sampling_ratio: samples a bin and axis; 0 means as many as the bin is feature pixels long, rounded up.
        pool_mode: 1, average; 0 (maximum) is refused.
        aligned: shift by half a pixel, as Mask R-CNN's RoIAlign does.

    Raises:
        ValueError: a box of NaN or beyond `MAX_COORDINATE`, for which torchvision's CPU kernel reads anywhere.
    """
    _refuse_max_pooling(pool_mode)
    _refuse_wild_boxes(rois)
    input = in_kernel_dtype(input)
    output.copy_(
        torch.ops.torchvision.roi_align(
            input, rois.to(input.dtype), spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
        )
    )


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Spread the gradient of `roi_align_forward` over the feature map; writes into `grad_input` (B, C, H, W).

    The sparse product takes a fifth of the time of torchvision's kernel.
    """
    _refuse_max_pooling(pool_mode)
    grad_output = in_kernel_dtype(grad_output)
    rois = rois.to(grad_output.dtype)
    batch, channels, height, width = grad_input.shape
    if is_worth_it(grad_output, rois, spatial_scale, sampling_ratio):
        gradient = backward(grad_output, rois, (batch, height, width), spatial_scale, sampling_ratio, aligned)
    else:
        gradient = torch.ops.torchvision._roi_align_backward(
            grad_output,
            rois,
            spatial_scale,
            aligned_height,
            aligned_width,
            batch,
            channels,
            height,
            width,
            sampling_ratio,
            aligned,
        )
    grad_input.copy_(gradient)


def _refuse_max_pooling(pool_mode: int) -> None:
    if pool_mode != 1:
        raise NotImplementedError('mmcv operator "roi_align" with pool_mode="max" has no stand-in here: use "avg"')


def _refuse_wild_boxes(rois: Tensor) -> None:
    if rois.device.type == 'cpu' and not (sane := rois.abs() < MAX_COORDINATE).all():
        first = int((~sane).any(1).nonzero()[0])
        raise ValueError(
            f'RoIAlign: box {first} of {len(rois)} is {rois[first, 1:].tolist()}: the model has diverged; '
            'lower the learning rate, warm up for longer or clip the gradients'
        )


def is_worth_it(grad_output: Tensor, rois: Tensor, scale: float, sampling_ratio: int) -> bool:
    """Tell whether `backward` serves: on a CPU with MKL, some boxes, none so large that its bins hold many pixels."""
    if grad_output.device.type != 'cpu' or not torch.backends.mkl.is_available() or not len(rois):
        return False
    if sampling_ratio > 0:
        return sampling_ratio <= MAX_SAMPLES
    largest = (rois[:, 3:] - rois[:, 1:3]).max().item() * scale
    return largest <= MAX_SAMPLES * min(grad_output.shape[2:])  # not for NaN either


def backward(
    grad_output: Tensor, rois: Tensor, shape: tuple[int, int, int], scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Spread the gradient of the bins over the feature pixels that they were made of.

    Args:
        grad_output: (N, C, rows, columns) float32 or float64.
        rois, scale, sampling_ratio, aligned: as in `bin_weights`.
        shape: images, height and width of the feature map.

    Returns:
        (B, C, H, W); equal to torchvision's up to the order of its sums, and the same on any number of cores.
    """
    channels, bins = grad_output.shape[1], tuple(grad_output.shape[2:])
    weights = bin_weights(rois, shape, bins, scale, sampling_ratio, aligned)
    gradient = weights.t() @ grad_output.permute(0, 2, 3, 1).reshape(-1, channels)  # (B * H * W, C)
    return gradient.reshape(*shape, channels).permute(0, 3, 1, 2)


def bin_weights(
    rois: Tensor, shape: tuple[int, int, int], bins: tuple[int, int], scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Find how much each feature pixel counts in each bin: the mean of bilinear samples is linear in the pixels.

    Args:
        rois: (N, 5) float32 or float64, batch index and x1 y1 x2 y2 in image pixels.
        shape: images, height and width of the feature map.
        bins: rows and columns of the grid.
        scale, sampling_ratio, aligned: as in `roi_align_forward`.

    Returns:
        (N * rows * columns, B * H * W) sparse CSR of the boxes' type; both axes row-major, (N, rows, columns) and
        (B, H, W).
    """
    _, height, width = shape
    corners = rois[:, 1:] * scale - (0.5 if aligned else 0.0)
    y_index, y_weight, y_count = _axis_taps(corners[:, 1], corners[:, 3], bins[0], height, sampling_ratio, aligned)
    x_index, x_weight, x_count = _axis_taps(corners[:, 0], corners[:, 2], bins[1], width, sampling_ratio, aligned)
    y_first, x_first = _firsts(y_count), _firsts(x_count)
    # A bin's pixels are all pairs of a row and a column that its samples touch.
    counts = (y_count[:, :, None] * x_count[:, None, :]).flatten()
    row = torch.repeat_interleave(torch.arange(counts.numel()), counts)
    within = torch.arange(row.numel()) - _firsts(counts)[row]
    grid = (len(rois), *bins)
    columns_here = x_count[:, None, :].expand(grid).flatten()[row]
    y_tap = y_first[:, :, None].expand(grid).flatten()[row] + within.div(columns_here, rounding_mode='floor')
    x_tap = x_first[:, None, :].expand(grid).flatten()[row] + within % columns_here
    image = rois[:, 0].long()[:, None].expand(-1, bins[0] * bins[1]).flatten()[row]
    pixel = (image * height + y_index[y_tap]) * width + x_index[x_tap]
    ends = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Sparse CSR tensor support is in beta')
        return torch.sparse_csr_tensor(
            ends,
            pixel,
            y_weight[y_tap] * x_weight[x_tap],
            (counts.numel(), shape[0] * height * width),
            check_invariants=False,
        )


def _firsts(counts: Tensor) -> Tensor:
    """Find where each group begins when groups of these sizes stand in a row; as shaped as `counts`."""
    flat = counts.flatten()
    return (flat.cumsum(0) - flat).reshape(counts.shape)


def _axis_taps(
    low: Tensor, high: Tensor, bins: int, length: int, sampling_ratio: int, aligned: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """List the feature rows (or columns) that each bin's samples touch.

    Returns:
        index and weight of every tap, by RoI, bin, index; and (N, bins) how many each bin has.
    """
    size = high - low if aligned else (high - low).clamp(min=1)
    bin_size = size / bins
    samples = torch.full_like(low, sampling_ratio) if sampling_ratio > 0 else torch.ceil(bin_size).clamp(min=0)
    number = torch.arange(int(samples.max().item()) if len(low) else 0, dtype=low.dtype)
    bin_low = low[:, None] + torch.arange(bins, dtype=low.dtype) * bin_size[:, None]  # (N, bins)
    step = (bin_size / samples.clamp(min=1))[:, None, None]
    position = bin_low[:, :, None] + (number + 0.5) * step  # (N, bins, samples)
    used = (number < samples[:, None, None]) & (position >= -1) & (position <= length)
    position = position.clamp(min=0)
    below = position.floor().long().clamp(max=length - 1)
    above = (below + 1).clamp(max=length - 1)
    fraction = torch.where(below < length - 1, position - below, torch.zeros_like(position))
    share = used / samples.clamp(min=1)[:, None, None]
    dense = low.new_zeros(len(low), bins, length)
    dense.scatter_add_(2, below, (1 - fraction) * share)
    dense.scatter_add_(2, above, fraction * share)
    touched = dense != 0
    return touched.nonzero()[:, 2], dense[touched], touched.sum(2)
