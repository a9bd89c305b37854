"""mmcv's deformable convolutions, forward and backward, by torchvision's operator.

Both versions sample the input at learned offsets; version 2 (modulated) also weighs every sample by a learned mask.
mmcv and torchvision lay offsets and masks out alike: (y, x) of a kernel's places one after the other, group by group.
Shapes: input (B, C, H, W), weight (O, C / groups, kH, kW), offset (B, deformable groups * 2 * kH * kW, oH, oW), mask
(B, deformable groups * kH * kW, oH, oW), bias (O,), output (B, O, oH, oW); outputs and gradients are written in place.
Scratch tensors that mmcv's own kernels use (`ones`, `columns`) stay as they are.
"""

import math
from operator import itemgetter

import torch
import torchvision  # noqa: F401  registers torch.ops.torchvision
from torch import Tensor

from fashion_mmdet.ops.common import in_kernel_dtype

# mmcv's names of the numbers that torchvision's operator takes, in its order: both pass them by keyword.
OPTIONS_V1 = itemgetter('dH', 'dW', 'padH', 'padW', 'dilationH', 'dilationW', 'group', 'deformable_group')
OPTIONS_V2 = itemgetter(
    'stride_h', 'stride_w', 'pad_h', 'pad_w', 'dilation_h', 'dilation_w', 'group', 'deformable_group'
)


def modulated_deform_conv_forward(
    input, weight, bias, ones, offset, mask, output, columns, with_bias: bool, **options: int
) -> None:
    """Convolve at learned offsets under a learned mask (DCNv2); writes into `output`."""
    geometry = (*OPTIONS_V2(options), True)
    output.copy_(_convolve(output, input, weight, offset, mask, bias if with_bias else None, geometry))


def modulated_deform_conv_backward(
    input,
    weight,
    bias,
    ones,
    offset,
    mask,
    columns,
    grad_input,
    grad_weight,
    grad_bias,
    grad_offset,
    grad_mask,
    grad_output,
    with_bias: bool,
    **options: int,
) -> None:
    """Write the gradients of `modulated_deform_conv_forward` into `grad_*`."""
    gradients = _differentiate(grad_output, input, weight, offset, mask, (*OPTIONS_V2(options), True))
    targets = (grad_input, grad_weight, grad_offset, grad_mask, grad_bias if with_bias else None)
    for target, gradient in zip(targets, gradients, strict=True):
        if target is not None:
            _store(gradient, target)


def deform_conv_forward(input, weight, offset, output, columns, ones, **options: int) -> None:
    """Convolve at learned offsets (DCN, version 1); writes into `output`."""
    output.copy_(_convolve(output, input, weight, offset, None, None, (*OPTIONS_V1(options), False)))


def deform_conv_backward_input(
    input, offset, grad_output, grad_input, grad_offset, weight, columns, **options: int
) -> None:
    """Write the gradients of `deform_conv_forward` by input and offset into `grad_input` and `grad_offset`."""
    geometry = (*OPTIONS_V1(options), False)
    by_input, _, by_offset, _, _ = _differentiate(grad_output, input, weight, offset, None, geometry)
    grad_input.copy_(by_input)
    _store(by_offset, grad_offset)


def deform_conv_backward_parameters(
    input, offset, grad_output, grad_weight, columns, ones, scale: float, **options: int
) -> None:
    """Add `scale` times the gradient of `deform_conv_forward` by its weight to `grad_weight`."""
    weight = grad_weight.new_zeros(grad_weight.shape)  # mmcv does not pass it here; its gradient does not depend on it
    gradients = _differentiate(grad_output, input, weight, offset, None, (*OPTIONS_V1(options), False))
    grad_weight.add_(gradients[1].to(grad_weight.dtype), alpha=scale)


def _convolve(output, input, weight, offset, mask, bias, geometry: tuple):
    input, weight, offset, mask, bias = _complete(output, input, weight, offset, mask, bias)
    return torch.ops.torchvision.deform_conv2d(input, weight, offset, mask, bias, *geometry)


def _differentiate(grad_output, input, weight, offset, mask, geometry: tuple):
    """Return the gradients by input, weight, offset, mask and bias."""
    input, weight, offset, mask, bias = _complete(grad_output, input, weight, offset, mask, None)
    by_input, by_weight, by_offset, by_mask, by_bias = torch.ops.torchvision._deform_conv2d_backward(
        in_kernel_dtype(grad_output), input, weight, offset, mask, bias, *geometry
    )
    outside = _lies_outside(offset, weight.shape[2:], geometry[:2], geometry[2:4], geometry[4:6])
    return by_input, by_weight, by_offset.masked_fill(outside, 0), by_mask, by_bias


def _lies_outside(offset: Tensor, kernel: tuple[int, int], strides: tuple, padding: tuple, dilations: tuple) -> Tensor:
    """Tell which samples lie a whole pixel or more above or left of the input; same shape as `offset`.

    A sample's value falls to 0 at one pixel beyond the input. Just there mmcv gives the offset no gradient, torchvision
    the slope of the inner side. Layers start with offsets of 0, and then a padding of 1 puts samples just there.
    """
    batch, _, rows, columns = offset.shape
    places = offset.reshape(batch, -1, *kernel, 2, rows, columns)

    def starts(axis: int, length: int) -> Tensor:  # (kernel size, length), positions at offset 0
        of_kernel, of_output = (torch.arange(count, device=offset.device) for count in (kernel[axis], length))
        return of_kernel[:, None] * dilations[axis] + of_output * strides[axis] - padding[axis]

    y = places[..., 0, :, :] + starts(0, rows)[:, None, :, None]
    x = places[..., 1, :, :] + starts(1, columns)[:, None, :]
    outside = (y <= -1) | (x <= -1)  # (B, deformable groups, kH, kW, oH, oW)
    return outside.unsqueeze(4).expand_as(places).reshape(offset.shape)


def _complete(output, input, weight, offset, mask, bias):
    """Convert all tensors to types that have kernels; torchvision needs a mask and a bias even where there is none.

    NaN offsets of a diverged model become samples outside, worth 0 as in mmcv: torchvision would read anywhere.
    """
    input, weight, offset = (in_kernel_dtype(tensor).contiguous() for tensor in (input, weight, offset))
    offset = _fit(offset, output).nan_to_num(nan=-1e6)
    mask = input.new_zeros(input.shape[0], 1) if mask is None else _fit(in_kernel_dtype(mask), output).contiguous()
    bias = input.new_zeros(weight.shape[0]) if bias is None else in_kernel_dtype(bias)
    return input, weight, offset, mask, bias


def _fit(values: Tensor, output: Tensor) -> Tensor:
    """Read offsets or masks as mmcv does: each image's numbers from the first one on, whatever their rows and columns.

    mmdet's DyHead relies on it: it gives the offsets of one level to the next, which has a quarter of the pixels.
    """
    shape = (values.shape[1], *output.shape[2:])
    return values.flatten(1)[:, : math.prod(shape)].reshape(-1, *shape)


def _store(gradient: Tensor, target: Tensor) -> None:
    """Write a gradient to where `_fit` read; the rest of `target` stays 0."""
    if gradient.shape == target.shape:
        target.copy_(gradient)
    else:
        target.flatten(1)[:, : gradient[0].numel()] = gradient.flatten(1).to(target.dtype)
