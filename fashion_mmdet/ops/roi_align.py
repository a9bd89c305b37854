"""RoIAlign: torchvision's kernels, and on a CPU a backward pass as one sparse matrix product.

A bin's value is a weighted sum of feature pixels, the same for every channel. torchvision's backward kernel computes
the weights again for each of the 256 channels, on one core: 14 % of an R50-FPN training step at 256 px.
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
        argmax_y, argmax_x: unused by average pooling.
        aligned_height, aligned_width: rows and columns of the grid.
        spatial_scale: feature pixels per image pixel.
        sampling_ratio: samples per bin and axis; 0 for as many as the bin is feature pixels long, rounded up.
        pool_mode: 1, average; 0 (maximum) is refused.
        aligned: shift by half a pixel, as Mask R-CNN's RoIAlign does.

    Raises:
        ValueError: a box of NaN or beyond `MAX_COORDINATE`, for which torchvision's CPU kernel reads anywhere.
    """
    _refuse_max_pooling(pool_mode)
    _refuse_wild_boxes(rois)
    input, grid = in_kernel_dtype(input), (aligned_height, aligned_width)
    rois = rois.to(input.dtype)
    output.copy_(torch.ops.torchvision.roi_align(input, rois, spatial_scale, *grid, sampling_ratio, aligned))


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
    """Distribute the gradient of `roi_align_forward` over the feature map; writes into `grad_input` (B, C, H, W).

    The sparse product takes a fifth of the time of torchvision's kernel.
    """
    _refuse_max_pooling(pool_mode)
    grad_output = in_kernel_dtype(grad_output)
    rois = rois.to(grad_output.dtype)
    batch, _, height, width = grad_input.shape
    if suits_sparse(grad_output, rois, spatial_scale, sampling_ratio):
        gradient = sparse_backward(grad_output, rois, (batch, height, width), spatial_scale, sampling_ratio, aligned)
    else:
        sizes = (spatial_scale, aligned_height, aligned_width, *grad_input.shape, sampling_ratio, aligned)
        gradient = torch.ops.torchvision._roi_align_backward(grad_output, rois, *sizes)
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


def suits_sparse(grad_output: Tensor, rois: Tensor, scale: float, sampling_ratio: int) -> bool:
    """Return whether to take `sparse_backward`: on a CPU with MKL, some boxes, none whose bins hold many pixels."""
    if grad_output.device.type != 'cpu' or not torch.backends.mkl.is_available() or not len(rois):
        return False
    if sampling_ratio > 0:
        return sampling_ratio <= MAX_SAMPLES
    largest = (rois[:, 3:] - rois[:, 1:3]).max().item() * scale
    return largest <= MAX_SAMPLES * min(grad_output.shape[2:])  # not for NaN either


def sparse_backward(
    grad_output: Tensor, rois: Tensor, shape: tuple[int, int, int], scale: float, sampling_ratio: int, aligned: bool
) -> Tensor:
    """Distribute the gradient of the bins over the feature pixels that they were averaged from.

    The forward pass is `bins = weights @ pixels` for every channel, so the backward pass is `weights.t() @ grad_bins`.

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
    """Return the weight of each feature pixel in each bin: the mean of bilinear samples is linear in the pixels.

    A bilinear weight is a row's weight times a column's, so each axis is worked out alone (`_axis_taps`) and a bin's
    pixels are all pairs of a row and a column that it touches. Example: a bin with rows 4, 5 and columns 7, 8, 9 has 6
    entries, `place_in_bin` 0 to 5: row tap place_in_bin // 3 = 0 0 0 1 1 1, column tap place_in_bin % 3 = 0 1 2 0 1 2.

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
    # Taps of each axis: (taps,) feature index and weight, bin after bin; (N, rows) or (N, columns) taps per bin.
    y_pixel, y_weight, y_count = _axis_taps(corners[:, 1], corners[:, 3], bins[0], height, sampling_ratio, aligned)
    x_pixel, x_weight, x_count = _axis_taps(corners[:, 0], corners[:, 2], bins[1], width, sampling_ratio, aligned)
    # Entries of the matrix, E in all, bin after bin as CSR needs them: the bin of each and its number in there.
    counts = (y_count[:, :, None] * x_count[:, None, :]).flatten()  # (N * rows * columns,)
    entry_bin = torch.repeat_interleave(torch.arange(counts.numel()), counts)  # (E,)
    place_in_bin = torch.arange(entry_bin.numel()) - _firsts(counts)[entry_bin]

    def of_entry(values: Tensor) -> Tensor:  # values that broadcast to (N, rows, columns)
        return values.expand(len(rois), *bins).flatten()[entry_bin]

    # Where its row and column stand among the taps: the first of its bin, and the place in it as in the example.
    columns_in_bin = of_entry(x_count[:, None, :])
    y_tap = of_entry(_firsts(y_count)[:, :, None]) + place_in_bin.div(columns_in_bin, rounding_mode='floor')
    x_tap = of_entry(_firsts(x_count)[:, None, :]) + place_in_bin % columns_in_bin
    pixel = (of_entry(rois[:, 0].long()[:, None, None]) * height + y_pixel[y_tap]) * width + x_pixel[x_tap]
    ends = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    size = (counts.numel(), shape[0] * height * width)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='Sparse CSR tensor support is in beta')
        return torch.sparse_csr_tensor(ends, pixel, y_weight[y_tap] * x_weight[x_tap], size, check_invariants=False)


def _firsts(counts: Tensor) -> Tensor:
    """Return where each group begins if groups of these sizes stand in a row: [2, 3, 1] to [0, 2, 5]; same shape."""
    flat = counts.flatten()
    return (flat.cumsum(0) - flat).reshape(counts.shape)


def _axis_taps(
    low: Tensor, high: Tensor, bins: int, length: int, sampling_ratio: int, aligned: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """List the feature rows (or columns) that each bin's samples touch, with their weights.

    A bin with samples at 4.25 and 4.75, each of share 1/2, touches row 4 with (0.75 + 0.25) / 2 and row 5 with
    (0.25 + 0.75) / 2.

    Returns:
        index and weight of every tap, by RoI, bin, index; and (N, bins) how many taps each bin has.
    """
    # Sample positions, (N, bins, samples), in feature pixels; boxes differ in their number of samples, hence `used`.
    size = high - low if aligned else (high - low).clamp(min=1)
    bin_size = size / bins
    samples = torch.full_like(low, sampling_ratio) if sampling_ratio > 0 else torch.ceil(bin_size).clamp(min=0)
    sample = torch.arange(int(samples.max().item()) if len(low) else 0, dtype=low.dtype)
    bin_low = low[:, None] + torch.arange(bins, dtype=low.dtype) * bin_size[:, None]  # (N, bins)
    step = (bin_size / samples.clamp(min=1))[:, None, None]
    position = bin_low[:, :, None] + (sample + 0.5) * step
    used = (sample < samples[:, None, None]) & (position >= -1) & (position <= length)
    # Each sample lies between two pixels; its share of the bin's mean is split between them.
    position = position.clamp(min=0)
    below = position.floor().long().clamp(max=length - 1)
    above = (below + 1).clamp(max=length - 1)
    fraction = torch.where(below < length - 1, position - below, torch.zeros_like(position))
    share = used / samples.clamp(min=1)[:, None, None]
    # Samples of a bin share pixels: add up densely, (N, bins, length), then keep what is touched.
    dense = low.new_zeros(len(low), bins, length)
    dense.scatter_add_(2, below, (1 - fraction) * share)
    dense.scatter_add_(2, above, fraction * share)
    touched = dense != 0
    return touched.nonzero()[:, 2], dense[touched], touched.sum(2)
