"""Focal losses against their definition, number by number, and numerical gradients."""

import math

import mmcv.ops
import numpy as np
import pytest
import torch

WEIGHT = [0.5, 2.0, 1.5]


def logits() -> torch.Tensor:
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2


def test_a_logit_of_zero_costs_what_the_paper_says():
    """p = 0.5. A positive costs 0.25 * 0.5^2 * ln 2 = 0.0433, a negative 0.75 * 0.5^2 * ln 2 = 0.1300."""
    loss = mmcv.ops.sigmoid_focal_loss(torch.zeros(1, 3), torch.tensor([1]), 2.0, 0.25, None, 'none')
    np.testing.assert_allclose(loss, np.array([[0.75, 0.25, 0.75]]) * 0.25 * math.log(2), rtol=1e-6)
    loss = mmcv.ops.softmax_focal_loss(torch.zeros(1, 2), torch.tensor([1]), 2.0, 0.25, None, 'none')
    np.testing.assert_allclose(loss, [0.25 * 0.25 * math.log(2)], rtol=1e-6)


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_sigmoid_loss_equals_loops(gamma: float, weighted: bool):
    """Unweighted, target 3 of 3 classes is background: all its logits are negatives."""
    target = [0, 2, 1, 1, 0 if weighted else 3]
    wanted = np.zeros((5, 3))
    for n, row in enumerate(logits().tolist()):
        for c, x in enumerate(row):
            p = 1 / (1 + math.exp(-x))
            loss = -0.25 * (1 - p) ** gamma * math.log(p) if c == target[n] else -0.75 * p**gamma * math.log(1 - p)
            wanted[n, c] = loss * (WEIGHT[target[n]] if weighted else 1)
    weight = torch.tensor(WEIGHT, dtype=torch.float64) if weighted else None
    found = mmcv.ops.sigmoid_focal_loss(logits(), torch.tensor(target), gamma, 0.25, weight, 'none')
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
def test_softmax_loss_equals_loops(gamma: float, weighted: bool):
    """A negative target, to be ignored, costs nothing."""
    target, wanted = [0, 2, 1, 1, -1], np.zeros(5)
    for n, row in enumerate(logits().tolist()[:4]):
        p = math.exp(row[target[n]]) / sum(math.exp(x) for x in row)
        wanted[n] = -0.25 * (1 - p) ** gamma * math.log(p) * (WEIGHT[target[n]] if weighted else 1)
    weight = torch.tensor(WEIGHT, dtype=torch.float64) if weighted else None
    found = mmcv.ops.softmax_focal_loss(logits(), torch.tensor(target), gamma, 0.25, weight, 'none')
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
@pytest.mark.parametrize(
    ('name', 'target'), [('sigmoid_focal_loss', [0, 2, 1, 1, 0]), ('softmax_focal_loss', [0, 2, 1, 1, -1])]
)
def test_the_gradients_are_those_of_the_loss(name: str, target: list[int], gamma: float, reduction: str):
    weight = torch.tensor(WEIGHT, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: getattr(mmcv.ops, name)(x, torch.tensor(target), gamma, 0.25, weight, reduction),
        logits().requires_grad_(),
    )


@pytest.mark.parametrize('gamma', [0.0, 0.5, 2.0])
@pytest.mark.parametrize('name', ['sigmoid_focal_loss', 'softmax_focal_loss'])
def test_sure_predictions_keep_finite_gradients(name: str, gamma: float):
    """Logits of 200 give probabilities of just 0 and 1: right ones in the first row, wrong ones in the second."""
    x = torch.tensor([[200.0, -200], [200, -200]], requires_grad=True)
    getattr(mmcv.ops, name)(x, torch.tensor([0, 1]), gamma, 0.25, None, 'sum').backward()
    assert x.grad[0].abs().max() < 1e-6
    assert x.grad[1, 0] > 0 > x.grad[1, 1]
    assert x.grad.isfinite().all()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('name', ['sigmoid_focal_loss', 'softmax_focal_loss'])
def test_narrow_floats_come_near(name: str, dtype: torch.dtype):
    target, results = torch.tensor([0, 2, 1, 1, 0]), []
    for kind in (dtype, torch.float64):
        x = logits().to(dtype).to(kind).requires_grad_()
        loss = getattr(mmcv.ops, name)(x, target, 2.0, 0.25, None, 'sum')
        loss.backward()
        results.append((loss.detach().double(), x.grad.double()))
    torch.testing.assert_close(results[0], results[1], rtol=0.03, atol=0.01)
