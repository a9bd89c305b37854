"""Multi-scale deformable attention as mmcv calls it on a GPU, against loops and numerical gradients."""

import numpy as np
import torch
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction

from tests.ops.rois import bilinear_weights

SHAPES = [(4, 3), (2, 2)]  # two levels, height and width
STARTS = [0, 12]


def make(channels: int = 2) -> tuple[torch.Tensor, ...]:
    """2 images, 16 pixels, 2 heads; 3 queries with 2 points a level, some outside the map."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    return draw(2, 16, 2, channels), draw(2, 3, 2, 2, 2, 2) * 1.4 - 0.2, draw(2, 3, 2, 2, 2)


def attend(value: torch.Tensor, locations: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return MultiScaleDeformableAttnFunction.apply(
        value, torch.tensor(SHAPES), torch.tensor(STARTS), locations, weights, 64
    )


def test_the_output_equals_loops():
    """A place of 0 or 1 is the map's edge, half a pixel outside its outer pixels' centres; beyond them lie zeros."""
    value, locations, weights = make()
    wanted = np.zeros((2, 3, 2, 2))
    for image, query, head, level, point in np.ndindex(*weights.shape):
        height, width = SHAPES[level]
        pixels = value[image, STARTS[level] : STARTS[level] + height * width, head].reshape(height, width, -1).numpy()
        x, y = locations[image, query, head, level, point].tolist()
        y, x = y * height - 0.5, x * width - 0.5
        if -1 < y < height and -1 < x < width:
            share = bilinear_weights(y + 1, x + 1, height + 2, width + 2)[1:-1, 1:-1]
            wanted[image, query, head] += float(weights[image, query, head, level, point]) * np.einsum(
                'hw,hwc->c', share, pixels
            )
    np.testing.assert_allclose(attend(value, locations, weights), wanted.reshape(2, 3, 4), atol=1e-12)


def test_the_gradients_are_those_of_the_output():
    assert torch.autograd.gradcheck(attend, [tensor.requires_grad_() for tensor in make()])
