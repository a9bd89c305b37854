"""Deformable convolutions against plain loops, torchvision's own gradients and numerical ones."""

import math

import mmcv.ops
import numpy as np
import pytest
import torch
import torchvision
from mmcv.ops import DeformConv2dPack, ModulatedDeformConv2dPack

from fashion_mmdet import ops
from tests.ops.rois import bilinear_weights

needs_stand_in = pytest.mark.skipif(ops.has_compiled_ops(), reason='mmcv brings compiled operators')
GEOMETRIES = {  # stride, padding, dilation, groups, deformable groups
    'plain': (1, 1, 1, 1, 1),
    'stride 2': (2, 1, 1, 1, 1),
    'dilated, unpadded': (1, 0, 2, 1, 1),
    'two groups': (1, 1, 1, 2, 1),
    'two deformable groups': (1, 1, 1, 1, 2),
    'uneven': ((2, 1), (0, 1), (1, 2), 2, 2),
}


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def make(
    geometry: tuple,
    batch: int = 2,
    kernel: tuple[int, int] = (3, 2),
    size: tuple[int, int] = (6, 7),
    dtype: torch.dtype = torch.float64,
) -> dict[str, torch.Tensor]:
    """Random tensors for 4 channels in, 2 out; offsets of up to 3 pixels reach over the edges."""
    stride, padding, dilation, groups, deform_groups = geometry
    generator = torch.Generator().manual_seed(3)
    out = [
        (size[axis] + 2 * pair(padding)[axis] - pair(dilation)[axis] * (kernel[axis] - 1) - 1) // pair(stride)[axis] + 1
        for axis in range(2)
    ]
    places = kernel[0] * kernel[1] * deform_groups

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    return dict(
        input=draw(batch, 4, *size),
        offset=draw(batch, 2 * places, *out),
        mask=draw(batch, places, *out).sigmoid(),
        weight=draw(2, 4 // groups, *kernel),
        bias=draw(2),
    )


def convolve_by_loops(tensors: dict[str, torch.Tensor], geometry: tuple, modulated: bool) -> np.ndarray:
    """Sum weight * mask * sample over the kernel's places, sample by sample; (B, O, oH, oW)."""
    stride, padding, dilation, groups, deform_groups = geometry
    image, offset, mask, weight = (tensors[name].double().numpy() for name in ('input', 'offset', 'mask', 'weight'))
    batch, channels, *size = image.shape
    outputs, channels_in, *kernel = weight.shape
    found = np.zeros((batch, outputs, *offset.shape[2:]))
    for b, o, row, column in np.ndindex(*found.shape):
        for c, i, j in np.ndindex(channels_in, *kernel):
            channel = o // (outputs // groups) * channels_in + c
            place = channel // (channels // deform_groups) * kernel[0] * kernel[1] + i * kernel[1] + j
            y = row * pair(stride)[0] - pair(padding)[0] + i * pair(dilation)[0] + offset[b, 2 * place, row, column]
            x = (
                column * pair(stride)[1]
                - pair(padding)[1]
                + j * pair(dilation)[1]
                + offset[b, 2 * place + 1, row, column]
            )
            # A sample between the edge pixel and a zero beyond it counts in part.
            padded = np.pad(image[b, channel], 1)
            sample = (
                (bilinear_weights(y + 1, x + 1, *padded.shape) * padded).sum()
                if -1 < y < size[0] and -1 < x < size[1]
                else 0.0
            )
            found[b, o, row, column] += weight[o, c, i, j] * sample * (mask[b, place, row, column] if modulated else 1)
    return found + (tensors['bias'].double().numpy()[:, None, None] if modulated else 0)


def call(tensors: dict[str, torch.Tensor], geometry: tuple, modulated: bool) -> torch.Tensor:
    """Go through mmcv's functions."""
    if modulated:
        return mmcv.ops.modulated_deform_conv2d(*tensors.values(), *geometry)
    return mmcv.ops.deform_conv2d(tensors['input'], tensors['offset'], tensors['weight'], *geometry)


@pytest.mark.parametrize('modulated', [True, False], ids=['version 2', 'version 1'])
@pytest.mark.parametrize('name', GEOMETRIES)
def test_the_output_equals_loops_and_the_gradients_torchvisions(name: str, modulated: bool):
    geometry = GEOMETRIES[name]
    tensors = make(geometry)
    for tensor in tensors.values():
        tensor.requires_grad_()
    output = call(tensors, geometry, modulated)
    with torch.no_grad():
        np.testing.assert_allclose(
            output,
            convolve_by_loops({key: value.detach() for key, value in tensors.items()}, geometry, modulated),
            atol=1e-12,
        )
    grad = torch.randn(output.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    names = list(tensors) if modulated else ['input', 'offset', 'weight']
    wanted = torch.autograd.grad(
        torchvision.ops.deform_conv2d(
            tensors['input'],
            tensors['offset'],
            tensors['weight'],
            tensors['bias'] if modulated else None,
            *geometry[:3],
            tensors['mask'] if modulated else None,
        ),
        [tensors[key] for key in names],
        grad,
    )
    found = torch.autograd.grad(output, [tensors[key] for key in names], grad)
    for key, ours, theirs in zip(names, found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0, msg=key)
        assert ours.abs().max() > 0, key


@pytest.mark.parametrize('modulated', [True, False], ids=['version 2', 'version 1'])
def test_the_gradients_are_those_of_the_output(modulated: bool):
    """Numerically, one tensor and element at a time."""
    geometry = GEOMETRIES['uneven']
    tensors = make(geometry, batch=1, kernel=(2, 2), size=(3, 3))
    names = list(tensors) if modulated else ['input', 'offset', 'weight']

    def of(*values: torch.Tensor) -> torch.Tensor:
        return call({**tensors, **dict(zip(names, values, strict=True))}, geometry, modulated)

    assert torch.autograd.gradcheck(of, [tensors[key].requires_grad_() for key in names], eps=1e-7, atol=1e-5)


@pytest.mark.parametrize('modulated', [True, False], ids=['version 2', 'version 1'])
@pytest.mark.parametrize(
    ('shift', 'slopes'), [(0.0, [[0, 0, 0], [0, -5, 0], [0, 0, 0]]), (0.25, [[0, 5, 0], [0, -5, 0], [0, 0, 0]])]
)
def test_a_sample_just_one_pixel_outside_has_no_slope(shift: float, slopes: list[list[int]], modulated: bool):
    """One pixel of 5 with padding 1: nine samples at y, x in -1, 0, 1, all moved down by `shift`.

    A sample at (y, x) is 5 * (1 - |y|) * (1 - |x|). At (0, 0) it loses 5 a pixel downwards. At (-1, 0) it would gain 5,
    and does just inside (-0.75, 0), but mmcv takes samples at -1 for outside.
    """
    shape = (1, 1, 3, 3)
    offset = torch.cat([torch.full(shape, shift), torch.zeros(shape)], 1).requires_grad_()
    tensors = dict(
        input=torch.full((1, 1, 1, 1), 5.0),
        offset=offset,
        mask=torch.ones(shape),
        weight=torch.ones(1, 1, 1, 1),
        bias=torch.zeros(1),
    )
    call(tensors, (1, 1, 1, 1, 1), modulated).sum().backward()
    assert offset.grad[0, 0].tolist() == slopes
    if not shift:
        assert offset.grad[0, 1].tolist() == slopes  # alike by x


@pytest.mark.parametrize('modulated', [True, False], ids=['version 2', 'version 1'])
@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf, 1e30])
def test_offsets_of_a_model_that_diverged_are_samples_outside(value: float, modulated: bool):
    """Version 2 keeps its bias; no gradient passes."""
    tensors = {key: tensor.requires_grad_() for key, tensor in make(GEOMETRIES['plain'], size=(9, 9)).items()}
    tensors['offset'] = torch.full_like(tensors['offset'], value).requires_grad_()
    output = call(tensors, GEOMETRIES['plain'], modulated)
    output.sum().backward()
    wanted = tensors['bias'][:, None, None] if modulated else torch.zeros_like(output)
    assert torch.equal(output, wanted.expand_as(output))
    assert not tensors['offset'].grad.any()
    assert not tensors['input'].grad.any()


def test_offsets_of_a_larger_map_are_read_from_the_first_number_on():
    """DyHead's way with mmcv: of each image's offsets and masks the first count, in the output's rows and columns."""
    geometry, tensors = GEOMETRIES['plain'], make(GEOMETRIES['plain'])
    large = {
        key: torch.cat([tensors[key].flatten(1)] * 4, 1).reshape(2, -1, 12, 16)[:, : tensors[key].shape[1]]
        for key in ('offset', 'mask')
    }
    places = {key: tensors[key][0].numel() for key in large}
    leaves = {key: tensor.clone().requires_grad_() for key, tensor in {**tensors, **large}.items()}
    whole = {key: tensor.requires_grad_() for key, tensor in tensors.items()}
    output, wanted = call(leaves, geometry, True), call(whole, geometry, True)
    assert torch.equal(output, wanted)
    output.sum().backward()
    wanted.sum().backward()
    for key, count in places.items():
        found = leaves[key].grad.flatten(1)
        assert torch.equal(found[:, :count], whole[key].grad.flatten(1))
        assert not found[:, count:].any()


@pytest.mark.parametrize('layer', [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_a_layer_that_has_learned_no_offsets_is_a_convolution(layer: type):
    """Offsets start at 0; the mask of version 2 at sigmoid(0) = 0.5."""
    torch.manual_seed(0)
    built, photo = layer(4, 6, 3, padding=1), torch.randn(2, 4, 5, 7)
    share = 0.5 if layer is ModulatedDeformConv2dPack else 1.0
    plain = torch.nn.functional.conv2d(photo, built.weight, padding=1) * share
    torch.testing.assert_close(built(photo), plain, atol=1e-5, rtol=0)


@needs_stand_in
@pytest.mark.parametrize('modulated', [True, False], ids=['version 2', 'version 1'])
def test_bfloat16_is_computed_in_float32_and_returned_as_bfloat16(modulated: bool):
    geometry = GEOMETRIES['plain']
    tensors = {key: value.requires_grad_() for key, value in make(geometry, dtype=torch.bfloat16).items()}
    output = call(tensors, geometry, modulated)
    wanted = convolve_by_loops({key: value.detach() for key, value in tensors.items()}, geometry, modulated)
    np.testing.assert_allclose(output.detach().float(), wanted, rtol=2**-8, atol=1e-5)  # 8 bits
    output.sum().backward()
    assert output.dtype == tensors['input'].grad.dtype == tensors['weight'].grad.dtype == torch.bfloat16
