"""CARAFE against plain loops and numerical gradients."""

import mmcv.ops
import numpy as np
import pytest
import torch


def make(batch: int = 2, channels: int = 4, height: int = 3, width: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Features and masks for 3 x 3 kernels, two groups and twice the size."""
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(batch, channels, height, width, generator=generator, dtype=torch.float64),
        torch.rand(batch, 18, height * 2, width * 2, generator=generator, dtype=torch.float64),
    )


@pytest.mark.parametrize('name', ['carafe', 'carafe_naive'])
def test_the_output_equals_loops(name: str):
    """An output pixel (y, x) weighs the surroundings of (y // 2, x // 2); outside lie zeros."""
    features, masks = make()
    wanted = np.zeros((2, 4, 6, 4))
    for b, c, y, x in np.ndindex(*wanted.shape):
        for i, j in np.ndindex(3, 3):
            row, column = y // 2 + i - 1, x // 2 + j - 1
            if 0 <= row < 3 and 0 <= column < 2:
                wanted[b, c, y, x] += features[b, c, row, column] * masks[b, c // 2 * 9 + i * 3 + j, y, x]
    np.testing.assert_allclose(getattr(mmcv.ops, name)(features, masks, 3, 2, 2), wanted, atol=1e-12)


def test_kernels_of_one_repeat_the_pixels():
    """Kernel size 1 and weight 1: each pixel three times along both axes."""
    features = torch.tensor([[[[1.0, 2.0]]]])
    assert mmcv.ops.carafe(features, torch.ones(1, 1, 3, 6), 1, 1, 3).tolist() == [[[[1, 1, 1, 2, 2, 2]] * 3]]


def test_the_gradients_are_those_of_the_output():
    inputs = [tensor.requires_grad_() for tensor in make(1, 2, 2, 2)]
    assert torch.autograd.gradcheck(lambda *tensors: mmcv.ops.carafe(*tensors, 3, 2, 2), inputs)
