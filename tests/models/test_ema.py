"""Averaged weights: what a checkpoint holds, and that a resumed run goes on as one that was never stopped.

One weight w from 0, loss w, SGD with rate 1: after n steps w = -n. With momentum 0.5 the average begins with the first
step's -1 and then is the mean of itself and w: -1, -1.5, -2.25, -3.125, -4.0625.
"""

from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

import fashion_mmdet.register  # noqa: F401
from fashion_mmdet.config import load_config, parse_options
from tests.conftest import ROOT

KNOB = ['default_hooks.ema.type=EMAHook', 'default_hooks.ema.momentum=0.5']
W = [-1.0, -2.0, -3.0, -4.0, -5.0]
AVERAGE = [-1.0, -1.5, -2.25, -3.125, -4.0625]


class Slope(BaseModel):
    """A model of one weight, whose loss is the weight."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, mode: str = 'loss') -> dict[str, Tensor]:
        return dict(loss=self.w.sum() * x.mean())


def train(folder: Path, steps: int, **options) -> Runner:
    """Train with the hooks of a shipped config and the README's knob."""
    cfg = load_config(str(ROOT / 'configs/fashion/maskrcnn_r50_lossw.py'), parse_options(KNOB))
    cfg.default_hooks.checkpoint.update(by_epoch=False, save_best=None)
    model = Slope()
    runner = Runner(
        model,
        str(folder),
        train_dataloader=DataLoader([dict(x=1.0)] * 8),
        default_hooks=cfg.default_hooks,
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=steps),
        log_level='ERROR',
        default_scope='mmdet',
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0)),
        experiment_name=f'{folder.name}_{steps}',
        **options,
    )
    runner.train()
    return runner


def read(folder: Path, step: int) -> tuple[float, float]:
    """The weight that tests use and the one that training goes on from."""
    checkpoint = torch.load(folder / f'iter_{step}.pth', weights_only=False)
    return checkpoint['state_dict']['w'].item(), checkpoint['ema_state_dict']['module.w'].item()


def test_a_checkpoint_holds_the_average_for_tests_and_the_weights_beside_it(tmp_path: Path):
    runner = train(tmp_path, 3)
    assert read(tmp_path, 3) == pytest.approx((AVERAGE[2], W[2]))
    assert runner.model.w.item() == pytest.approx(W[2]), 'training itself goes on from its own weights'


def test_a_resumed_run_goes_on_as_if_never_stopped(tmp_path: Path):
    train(tmp_path, 3)
    train(tmp_path, 5, resume=True)
    assert read(tmp_path, 5) == pytest.approx((AVERAGE[4], W[4]))


def test_the_checkpoint_is_what_tests_load(tmp_path: Path):
    train(tmp_path / 'a', 3)
    runner = train(tmp_path / 'b', 1, load_from=str(tmp_path / 'a' / 'iter_3.pth'))
    assert runner.model.w.item() == pytest.approx(AVERAGE[2] - 1)
