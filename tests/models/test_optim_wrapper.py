"""The bfloat16 optimizer wrapper: what is narrow, what stays wide, and that accumulation works under it."""

from contextlib import contextmanager

import pytest
import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import Tensor, nn

from fashion_mmdet.models import Bfloat16OptimWrapper, optim_wrapper

DEVICE = get_device()


class Slope(nn.Module):
    """y = w x, by a matrix product, which is what autocast narrows; notes the type it computed in."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.layer.weight, weight)
        self.computed_in: list[torch.dtype] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        self.computed_in.append(y.dtype)
        return y


def column(*values: float) -> Tensor:
    return torch.tensor(values, device=DEVICE)[:, None]


def wrap(model: nn.Module, lr: float = 0.5, **options) -> Bfloat16OptimWrapper:
    return Bfloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=lr), **options)


def step(wrapper: OptimWrapper, model: nn.Module, x: Tensor, factor: float = 1.0) -> None:
    """One training step with the loss sum(w x) * factor, whose gradient is sum(x) * factor."""
    with wrapper.optim_context(model):
        loss = model(x).float().sum() * factor
    wrapper.update_params(loss)


@pytest.fixture(autouse=True)
def fast_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests hold on a CPU without bfloat16 in hardware too: PyTorch then computes it in software."""
    monkeypatch.setattr(optim_wrapper, 'has_fast_bfloat16', lambda: True)


@pytest.fixture
def slope() -> Slope:
    return Slope().to(DEVICE)


def test_the_forward_pass_is_bfloat16_inside_the_context_only(slope):
    wrapper = wrap(slope)
    with wrapper.optim_context(slope):
        slope(column(1.0))
    slope(column(1.0))
    assert slope.computed_in == [torch.bfloat16, torch.float32]


def test_results_have_bfloat16s_precision():
    """1.01 lies between 1.0078125 (129 / 128) and 1.015625, bfloat16's neighbours, and rounds to the first."""
    model = Slope(1.01).to(DEVICE)
    with wrap(model).optim_context(model):
        assert model(column(1.0)).item() == 1.0078125


def test_weights_gradients_and_optimizer_stay_float32(slope):
    wrapper = Bfloat16OptimWrapper(torch.optim.AdamW(slope.parameters(), lr=0.1))
    with wrapper.optim_context(slope):
        loss = slope(column(2.0)).float().sum()
    wrapper.backward(loss)
    assert slope.layer.weight.dtype == slope.layer.weight.grad.dtype == torch.float32
    assert slope.layer.weight.grad.item() == 2.0
    wrapper.step()
    assert slope.layer.weight.dtype == torch.float32
    state = wrapper.optimizer.state[slope.layer.weight]
    assert state['exp_avg'].dtype == state['exp_avg_sq'].dtype == torch.float32


def test_a_step_smaller_than_bfloat16_can_tell_still_moves_the_weight(slope):
    """1 - 0.5 * 2^-10 * 1 = 1 - 2^-11, lost in bfloat16 (2^-8 below 1), kept in float32."""
    step(wrap(slope), slope, column(1.0), factor=2.0**-10)
    assert slope.layer.weight.item() == 1 - 2.0**-11


def test_small_gradients_need_no_loss_scaling(slope):
    """2^-40 is below float16's smallest number (2^-24) and above bfloat16's."""
    step(wrap(slope, lr=2.0**39), slope, column(1.0), factor=2.0**-40)
    assert slope.layer.weight.item() == 0.5


def test_gradients_accumulate_over_two_steps(slope):
    """Gradients 2 and 4, halved each: 3; after the first step the weight is 1, then 1 - 0.5 * 3 = -0.5."""
    wrapper = wrap(slope, accumulative_counts=2)
    wrapper.initialize_count_status(slope, 0, 4)
    step(wrapper, slope, column(2.0))
    assert slope.layer.weight.item() == 1.0
    assert slope.layer.weight.grad.item() == 1.0
    step(wrapper, slope, column(4.0))
    assert slope.layer.weight.item() == -0.5
    assert slope.computed_in == [torch.bfloat16] * 2


def test_the_last_steps_count_though_too_few():
    """3 steps, accumulated by 2: after two 1 - 0.5 * (2 + 4) / 2 = -0.5, the third alone -0.5 - 0.5 * 8 = -4.5."""
    model = Slope().to(DEVICE)
    wrapper = wrap(model, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 3)
    for x in (2.0, 4.0, 8.0):
        step(wrapper, model, column(x))
    assert model.layer.weight.item() == -4.5


def test_gradients_are_not_exchanged_before_the_last_of_the_accumulated_steps(slope):
    """mmengine asks the model (a distributed one) to hold back: in steps 1 and 3 of 4, not in 2 and 4."""
    held_back = []

    @contextmanager
    def no_sync():
        held_back.append(len(slope.computed_in))
        yield

    slope.no_sync = no_sync
    wrapper = wrap(slope, accumulative_counts=2)
    for _ in range(4):
        step(wrapper, slope, column(1.0))
    assert held_back == [0, 2]
    assert slope.computed_in == [torch.bfloat16] * 4


def test_gradients_are_clipped():
    """Gradient 8 clipped to norm 1: 1 - 0.5 * 1 = 0.5, but for clip_grad_norm_'s 1e-6 in the divisor."""
    model = Slope().to(DEVICE)
    step(wrap(model, clip_grad=dict(max_norm=1.0)), model, column(8.0))
    assert model.layer.weight.item() == pytest.approx(0.5, abs=1e-6)


def test_a_failure_in_the_forward_pass_ends_autocast(slope):
    def fail() -> None:
        with wrap(slope).optim_context(slope):
            raise RuntimeError('broken')

    with pytest.raises(RuntimeError, match='broken'):
        fail()
    assert slope(column(1.0)).dtype == torch.float32


def test_a_config_names_it(slope):
    wrapper = build_optim_wrapper(
        slope, dict(type='Bfloat16OptimWrapper', optimizer=dict(type='AdamW', lr=0.1), clip_grad=dict(max_norm=5))
    )
    assert type(wrapper) is Bfloat16OptimWrapper
    assert isinstance(wrapper.optimizer, torch.optim.AdamW)


def fit(wrapper_class: type[OptimWrapper]) -> float:
    """Fit y = 3 x by 60 steps of gradient descent from w = 0, mean squared error, x = -1, 0.5, 1, 2."""
    model = Slope(0.0).to(DEVICE)
    wrapper = wrapper_class(torch.optim.SGD(model.parameters(), lr=0.1))
    x = column(-1.0, 0.5, 1.0, 2.0)
    for _ in range(60):
        with wrapper.optim_context(model):
            loss = (model(x).float() - 3 * x).square().mean()
        wrapper.update_params(loss)
    return model.layer.weight.item()


def test_training_ends_where_float32_ends_to_bfloat16s_precision():
    """Squares sum to 6.25: each step shrinks the error by 1 - 0.1 * 2 * 6.25 / 4 = 0.6875; 0.6875^60 < 1e-9.

    The weight is rounded to 2^-7 steps (between 2 and 4) in the product, so it stops within one of 3.
    """
    assert fit(OptimWrapper) == pytest.approx(3, abs=1e-5)
    assert fit(Bfloat16OptimWrapper) == pytest.approx(3, abs=2.0**-6)


@pytest.mark.skipif(DEVICE != 'cpu', reason='a GPU always has it')
def test_without_bfloat16_in_hardware_the_pass_stays_float32(slope, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(optim_wrapper, 'has_fast_bfloat16', lambda: False)
    wrapper = wrap(slope)
    with wrapper.optim_context(slope):
        slope(column(1.0))
    assert slope.computed_in == [torch.float32]
