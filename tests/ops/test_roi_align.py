"""The sparse backward pass of RoIAlign against torchvision's kernel; tests/ops/test_ops.py has it against loops."""

import math

import mmcv.ops
import pytest
import torch
import torchvision  # noqa: F401  registers torch.ops.torchvision

from fashion_mmdet import ops
from fashion_mmdet.ops import roi_align

SHAPE = (2, 17, 29)  # images, height, width of the feature map; the photos are 68 x 116
SCALE = 0.25


def random_rois(count: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Boxes of all shapes, some over the edges: (N, 5)."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.rand(count, 2, generator=generator, dtype=dtype) * torch.tensor([116, 68])
    half = torch.rand(count, 2, generator=generator, dtype=dtype) * 50
    image = torch.randint(0, 2, (count, 1), generator=generator).to(dtype)
    return torch.cat([image, centre - half, centre + half], 1)


def kernel(grad: torch.Tensor, rois: torch.Tensor, sampling_ratio: int, aligned: bool) -> torch.Tensor:
    batch, height, width = SHAPE
    return torch.ops.torchvision._roi_align_backward(
        grad, rois, SCALE, *grad.shape[2:], batch, grad.shape[1], height, width, sampling_ratio, aligned
    )


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('sampling_ratio', [0, 1, 2, 3])
def test_gradients_equal_torchvisions_in_double_precision(seed: int, aligned: bool, sampling_ratio: int):
    """60 boxes into 3 x 5 bins."""
    rois = random_rois(60, seed)
    grad = torch.randn(60, 4, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = roi_align.sparse_backward(grad, rois, SHAPE, SCALE, sampling_ratio, aligned)
    torch.testing.assert_close(found, kernel(grad, rois, sampling_ratio, aligned), rtol=1e-10, atol=1e-12)


def test_a_bins_weights_add_up_to_one_inside_the_photo():
    """The mean of a constant is the constant."""
    rois = torch.tensor([[1.0, 20, 12, 90, 60], [0.0, 30, 30, 42, 37]])
    weights = roi_align.bin_weights(rois, SHAPE, (7, 7), SCALE, 0, True).to_dense()
    assert weights.shape == (2 * 49, 2 * 17 * 29)
    torch.testing.assert_close(weights.sum(1), torch.ones(98))
    assert weights[:49, : 17 * 29].count_nonzero() == weights[49:, 17 * 29 :].count_nonzero() == 0  # the other image's


@pytest.mark.parametrize(
    ('rois', 'sampling_ratio', 'expected'),
    [
        ([[0, 0, 0, 50, 50]], 0, True),
        ([[0, 0, 0, 50, 50]], 2, True),
        ([], 0, False),
        ([[0, 0, 0, 4e6, 50]], 0, False),  # a million feature pixels in 7 bins
        ([[0, 0, 0, float('nan'), 50]], 0, False),
        ([[0, 0, 0, 50, 50]], 1000, False),
    ],
)
def test_boxes_that_would_take_much_memory_are_left_to_the_kernel(rois, sampling_ratio, expected):
    rois = torch.tensor(rois, dtype=torch.float32).reshape(-1, 5)
    assert roi_align.suits_sparse(torch.zeros(len(rois), 1, 7, 7), rois, SCALE, sampling_ratio) is (
        expected and torch.backends.mkl.is_available()
    )


def test_a_gigantic_box_still_gets_its_gradient():
    rois = torch.tensor([[0.0, -4e3, 0, 4e3, 50]])
    grad, result = torch.ones(1, 1, 3, 3), torch.zeros(2, 1, 17, 29)
    roi_align.roi_align_backward(grad, rois, None, None, result, 3, 3, SCALE, 0, 1, True)
    torch.testing.assert_close(result, kernel(grad, rois, 0, True))
    assert result.abs().sum() > 0


def test_the_sums_do_not_depend_on_the_number_of_threads():
    rois, threads = random_rois(200, 0, torch.float32), torch.get_num_threads()
    grad = torch.randn(200, 64, 7, 7, generator=torch.Generator().manual_seed(0))
    try:
        results = []
        for count in (1, 2, 2):
            torch.set_num_threads(count)
            results.append(roi_align.sparse_backward(grad, rois, SHAPE, SCALE, 0, True))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[1], results[2])


@pytest.mark.skipif(ops.has_compiled_ops(), reason='mmcv brings compiled operators')
@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf, 1e30])
def test_boxes_of_a_model_that_diverged_are_named(value: float, sampling_ratio: int):
    rois = torch.tensor([[0.0, 3, 3, 20, 20], [0, 3, value, 20, 20]])
    with pytest.raises(ValueError, match=r'RoIAlign: box 1 of 2 is \[3\.0, .*\]: the model has diverged'):
        mmcv.ops.roi_align(torch.rand(1, 4, 50, 60), rois, (7, 7), 1.0, sampling_ratio, 'avg', True)
