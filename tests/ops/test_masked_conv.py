"""Masked convolution is a convolution where the mask is set and 0 elsewhere."""

import mmcv.ops
import pytest
import torch


@pytest.mark.parametrize(('kernel', 'padding'), [(3, 1), ((5, 3), (2, 1)), (1, 0)])
@pytest.mark.parametrize('share', [0.0, 0.4, 1.0])
def test_it_equals_a_convolution_under_the_mask(kernel, padding, share: float):
    torch.manual_seed(0)
    layer = mmcv.ops.MaskedConv2d(3, 4, kernel, padding=padding).double()
    photo, mask = torch.randn(1, 3, 6, 8, dtype=torch.float64), torch.rand(1, 6, 8) < share
    with torch.no_grad():
        torch.testing.assert_close(layer(photo, mask.double()), layer(photo) * mask)
