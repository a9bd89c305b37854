"""RoIPool against plain loops, torchvision's where no rounding comes in, and numerical gradients."""

import math

import mmcv.ops
import numpy as np
import pytest
import torch
import torchvision

from tests.ops.rois import HEIGHT, ROIS, SCALE, WIDTH


def features(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 2, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pool_by_loops(image: np.ndarray, roi: list[float], rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Maximum of each bin of one box in an image (C, H, W), and how often each pixel is one."""
    x1, y1, x2, y2 = roi[0] * SCALE, roi[1] * SCALE, (roi[2] + 1) * SCALE, (roi[3] + 1) * SCALE
    output, hits = np.zeros((len(image), rows, columns)), np.zeros(image.shape)
    if x2 <= x1 or y2 <= y1:
        return output, hits
    for c, row, column in np.ndindex(*output.shape):
        bin_height, bin_width = (y2 - y1) / rows, (x2 - x1) / columns
        top, end = math.floor(y1 + row * bin_height), math.ceil(y1 + (row + 1) * bin_height)
        left, right = math.floor(x1 + column * bin_width), math.ceil(x1 + (column + 1) * bin_width)
        pixels = [(y, x) for y in range(max(top, 0), min(end, HEIGHT)) for x in range(max(left, 0), min(right, WIDTH))]
        if pixels:
            best = max(pixels, key=lambda pixel: image[c][pixel])
            output[c, row, column] = image[c][best]
            hits[c][best] += 1
    return output, hits


@pytest.mark.parametrize('name', ROIS)
def test_one_box_equals_loops(name: str):
    """2 x 3 bins; sizes in quarter pixels over 6 give edges that float64 has exactly or far from whole numbers."""
    image, *box = ROIS[name]
    x = features().requires_grad_()
    output = mmcv.ops.roi_pool(x, torch.tensor([ROIS[name]], dtype=torch.float64), (2, 3), SCALE)
    output.sum().backward()
    wanted, hits = pool_by_loops(x[image].detach().numpy(), box, 2, 3)
    np.testing.assert_array_equal(output[0].detach(), wanted)
    np.testing.assert_array_equal(x.grad[image], hits)
    assert x.grad.sum() == hits.sum()  # nothing elsewhere


def test_many_boxes_add_their_gradients():
    rois, x = torch.tensor(list(ROIS.values()), dtype=torch.float64), features()[:, :1].contiguous().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: mmcv.ops.roi_pool(x, rois, (3, 2), SCALE), x)


def test_boxes_on_whole_pixels_are_pooled_as_torchvision_does():
    """At scale 1 torchvision's rounding does nothing."""
    rois = torch.tensor([[0.0, 0, 0, 8, 4], [1, 2, 1, 6, 3], [2, 3, 3, 3, 3]], dtype=torch.float64)
    torch.testing.assert_close(
        mmcv.ops.roi_pool(features(), rois, (2, 2), 1.0), torchvision.ops.roi_pool(features(), rois, (2, 2), 1.0)
    )


def test_no_boxes_give_an_empty_output():
    x = features().requires_grad_()
    output = mmcv.ops.RoIPool((2, 2))(x, torch.zeros(0, 5, dtype=torch.float64))
    output.sum().backward()
    assert output.shape == (0, 2, 2, 2)
    assert not x.grad.any()
