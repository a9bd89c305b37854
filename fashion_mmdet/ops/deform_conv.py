"""mmcv's deformable convolutions, forward and backward, by way of torchvision's operator; see `fashion_mmdet.ops`.

Both versions sample the input at learned offsets; version 2 (modulated) weighs every sample by a learned mask as well.
mmcv and torchvision lay offsets and masks out alike: (y, x) of a kernel's places one after the other, group by group.
Shapes: input (B, C, H, W), weight (O, C / groups, kH, kW), offset (B, deformable groups * 2 * kH * kW, oH, oW), mask
(B, deformable groups * kH * kW, oH, oW), bias (O,), output (B, O, oH, oW); outputs and gradients are written in place.
Scratch tensors that mmcv's own kernels use (`ones`, `columns`) stay as they are.
"""

import math

import torch
import torchvision  # noqa: F401  registers torch.ops.torchvision
from torch import Tensor

from fashion_mmdet.ops.common import in_kernel_dtype


def modulated_deform_conv_forward(
    input,
    weight,
    bias,
    ones,
    offset,
    mask,
    output,
    columns,
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Convolve at learned offsets under a learned mask (DCNv2); writes into `output`."""
    geometry = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group, deformable_group, True)
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
    kernel_h: int,
    kernel_w: int,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    group: int,
    deformable_group: int,
    with_bias: bool,
) -> None:
    """Give the gradients of `modulated_deform_conv_forward`; writes into `grad_*`."""
    geometry = (stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w, group, deformable_group, True)
    found = _differentiate(grad_output, input, weight, offset, mask, geometry)
    targets = (grad_input, grad_weight, grad_offset, grad_mask, grad_bias if with_bias else None)
    for target, gradient in zip(targets, found, strict=True):
        if target is not None:
            _store(gradient, target)


def deform_conv_forward(
    input,
    weight,
    offset,
    output,
    columns,
    ones,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Convolve at learned offsets (DCN, version 1); writes into `output`."""
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group, False)
    output.copy_(_convolve(output, input, weight, offset, None, None, geometry))


def deform_conv_backward_input(
    input,
    offset,
    grad_output,
    grad_input,
    grad_offset,
    weight,
    columns,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    im2col_step: int,
) -> None:
    """Give the gradients of `deform_conv_forward` by input and offset; writes into `grad_input`, `grad_offset`."""
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group, False)
    by_input, _, by_offset, _, _ = _differentiate(grad_output, input, weight, offset, None, geometry)
    grad_input.copy_(by_input)
    _store(by_offset, grad_offset)


def deform_conv_backward_parameters(
    input,
    offset,
    grad_output,
    grad_weight,
    columns,
    ones,
    kW: int,
    kH: int,
    dW: int,
    dH: int,
    padW: int,
    padH: int,
    dilationW: int,
    dilationH: int,
    group: int,
    deformable_group: int,
    scale: float,
    im2col_step: int,
) -> None:
    """Add `scale` times the gradient of `deform_conv_forward` by its weight to `grad_weight`."""
    geometry = (dH, dW, padH, padW, dilationH, dilationW, group, deformable_group, False)
    # The weight's gradient does not hang on the weight, which mmcv does not hand over here.
    _, by_weight, _, _, _ = _differentiate(
        grad_output, input, grad_weight.new_zeros(grad_weight.shape), offset, None, geometry
    )
    grad_weight.add_(by_weight.to(grad_weight.dtype), alpha=scale)


def _convolve(output, input, weight, offset, mask, bias, geometry: tuple):
    input, weight, offset, mask, bias = _complete(output, input, weight, offset, mask, bias)
    return torch.ops.torchvision.deform_conv2d(input, weight, offset, mask, bias, *geometry)


def _differentiate(grad_output, input, weight, offset, mask, geometry: tuple):
    """Compute all gradients: by input, weight, offset, mask and bias."""
    input, weight, offset, mask, bias = _complete(grad_output, input, weight, offset, mask, None)
    by_input, by_weight, by_offset, by_mask, by_bias = torch.ops.torchvision._deform_conv2d_backward(
        in_kernel_dtype(grad_output), input, weight, offset, mask, bias, *geometry
    )
    outside = _lies_outside(offset, weight.shape[2:], *geometry[:6])
    return by_input, by_weight, by_offset.masked_fill(outside, 0), by_mask, by_bias


def _lies_outside(
    offset: Tensor,
    kernel: tuple[int, int],
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
) -> Tensor:
    """Tell which samples lie a whole pixel or more above or left of the input; as shaped as `offset`.

    A sample's value falls to 0 at one pixel beyond the input. Just there mmcv gives the offset no gradient, torchvision
    the slope of the inner side. Layers begin with offsets of 0, and then a padding of 1 puts samples just there.
    """
    batch, _, rows, columns = offset.shape
    places = offset.reshape(batch, -1, *kernel, 2, rows, columns)

    def starts(length: int, stride: int, pad: int, size: int, dilation: int) -> Tensor:  # (size, length)
        of_kernel, of_output = (torch.arange(count, device=offset.device) for count in (size, length))
        return of_kernel[:, None] * dilation + of_output * stride - pad

    y = places[..., 0, :, :] + starts(rows, stride_h, pad_h, kernel[0], dilation_h)[:, None, :, None]
    x = places[..., 1, :, :] + starts(columns, stride_w, pad_w, kernel[1], dilation_w)[:, None, :]
    outside = (y <= -1) | (x <= -1)  # (B, deformable groups, kH, kW, oH, oW)
    return outside.unsqueeze(4).expand_as(places).reshape(offset.shape)


def _complete(output, input, weight, offset, mask, bias):
    """Bring all tensors to types with kernels; torchvision wants a mask and a bias even where there is none.

    NaN offsets of a model that diverged become samples outside, worth 0 as in mmcv: torchvision would read anywhere.
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
