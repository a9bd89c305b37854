"""A resumed run: the schedule of today's config, counts at any batch size, the same random numbers."""

import math
import random
import shutil
from itertools import chain, pairwise
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import Dataset

import fashion_mmdet.register  # noqa: F401
from fashion_mmdet.experiments.provenance import ProvenanceHook
from fashion_mmdet.experiments.record import read_record
from fashion_mmdet.experiments.repeatable import RepeatableHook
from tests.conftest import ROOT
from tools import train

HOOKS = Config.fromfile(ROOT / 'configs/_base_/runtime.py').default_hooks


class Slope(BaseModel):
    """A model of one weight w from 0; its loss is w times the inputs' mean, with or without noise."""

    def __init__(self, noise: float = 0.0) -> None:
        super().__init__()
        self.w, self.noise = nn.Parameter(torch.zeros(1)), noise

    def forward(self, inputs: list[float], mode: str = 'loss') -> dict[str, Tensor]:
        return dict(loss=self.w.sum() * (torch.tensor(inputs).mean() + self.noise * torch.rand(1)))


class Values(Dataset):
    """Numbers, to which each of three libraries adds a random one where `noise` is 1."""

    def __init__(self, values: list[float], noise: float = 0.0) -> None:
        self.values, self.noise = values, noise

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> dict[str, float]:
        noise = np.random.rand() + random.random() + torch.rand(1).item()
        return dict(inputs=self.values[index] + self.noise * noise)


class Watch(Hook):
    """Notes the rate and the inputs of every iteration."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.inputs: list[list[float]] = []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        self.rates.append(runner.optim_wrapper.get_lr()['lr'][0])
        self.inputs.append(data_batch['inputs'])


def run(
    folder: Path,
    length: int,
    schedule: list[dict] | None = None,
    *,
    resume: bool = False,
    lr: float = 1.0,
    batch_size: int = 2,
    workers: int = 0,
    noise: float = 0.0,
    values: list[float] | None = None,
    loop: str = 'epochs',
    **checkpoint,
) -> tuple[Runner, Watch]:
    """Train `Slope` on 8 numbers with the shipped hooks, `length` epochs or iterations."""
    hooks, watch, model = HOOKS.to_dict(), Watch(), Slope(noise)
    hooks['checkpoint'].update(dict(save_best=None, max_keep_ckpts=9, by_epoch=loop == 'epochs'), **checkpoint)
    kind = (
        dict(type='EpochBasedTrainLoop', max_epochs=length)
        if loop == 'epochs'
        else dict(type='IterBasedTrainLoop', max_iters=length)
    )
    runner = Runner(
        model,
        str(folder),
        train_cfg=kind,
        default_hooks=hooks,
        custom_hooks=[watch],
        resume=resume,
        train_dataloader=dict(
            dataset=Values(values or [1.0] * 8, noise),
            batch_size=batch_size,
            num_workers=workers,
            sampler=dict(type='DefaultSampler', shuffle=bool(noise)),
        ),
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)),
        param_scheduler=schedule,
        randomness=dict(seed=0),
        log_level='ERROR',
        default_scope='mmdet',
        experiment_name=f'{folder.name}_{length}',
    )
    runner.register_hook(ProvenanceHook(['x'], 'x.py'))
    runner.train()
    return runner, watch


def cosine(epochs: int) -> list[dict]:
    return [
        dict(type='LinearLR', start_factor=0.5, by_epoch=False, begin=0, end=3),
        dict(type='CosineAnnealingLR', T_max=epochs, end=epochs, convert_to_iter_based=True),
    ]


# Rates of the third and fourth epoch of four, each of four iterations, after two epochs of a run of two.
LONGER = {
    'cosine, its length and end from 2 epochs to 4': (
        cosine(2),
        cosine(4),
        [0.5 + 0.5 * math.cos(math.pi * step / 16) for step in range(8, 16)],
    ),
    'steps, from after 1 epoch to after 3': (
        [dict(type='MultiStepLR', milestones=[1], gamma=0.1)],
        [dict(type='MultiStepLR', milestones=[3], gamma=0.1)],
        [1.0] * 4 + [0.1] * 4,
    ),
    'polynomial to its default end, 1 - epoch / 3; of two epochs it ends at 0': (
        [dict(type='PolyLR')],
        [dict(type='PolyLR')],
        [1 / 3] * 4 + [0.0] * 4,
    ),
    'linear to its default end, 0.5 + 0.5 * epoch / 3': (
        [dict(type='LinearLR', start_factor=0.5)],
        [dict(type='LinearLR', start_factor=0.5)],
        [5 / 6] * 4 + [1.0] * 4,
    ),
    'constant to its default end: half, and whole in the last': (
        [dict(type='ConstantLR', factor=0.5)],
        [dict(type='ConstantLR', factor=0.5)],
        [0.5] * 4 + [1.0] * 4,
    ),
    'exponential, another factor': (
        [dict(type='ExponentialLR', gamma=0.1)],
        [dict(type='ExponentialLR', gamma=0.5)],
        [0.25] * 4 + [0.125] * 4,
    ),
    'a schedule where there was none': ([], [dict(type='StepLR', step_size=2, gamma=0.1)], [0.1] * 8),
    'one cycle of linear phases, up for 8 iterations and down for 8, steps 0 to 7 and 7 to 15': (
        [dict(type='OneCycleLR', eta_max=1.0, total_steps=8, by_epoch=False)],
        [
            dict(
                type='OneCycleLR',
                eta_max=1.0,
                total_steps=16,
                by_epoch=False,
                pct_start=0.5,
                anneal_strategy='linear',
                div_factor=10.0,
                final_div_factor=1.0,
            )
        ],
        [1.0 - 0.9 * (step - 7) / 8 for step in range(8, 16)],
    ),
}


@pytest.mark.parametrize('name', LONGER)
def test_more_epochs_follow_the_schedule_that_the_config_now_has(name: str, tmp_path: Path):
    before, after, rates = LONGER[name]
    run(tmp_path, 2, before)
    _, watch = run(tmp_path, 4, after, resume=True)
    np.testing.assert_allclose(watch.rates, rates, rtol=1e-9, atol=1e-12)


def test_another_learning_rate_counts_for_a_resumed_run_and_momentum_goes_on(tmp_path: Path):
    """SGD's momentum m is 1, 1.9, ... = (1 - 0.9^n) / 0.1; w falls by the rate times m: 1 for 4 steps, then 3."""
    run(tmp_path, 1)
    runner, watch = run(tmp_path, 2, lr=3.0, resume=True)
    assert watch.rates == [3.0] * 4
    steps = [(1 - 0.9**n) / 0.1 for n in range(1, 9)]
    assert runner.model.w.item() == pytest.approx(-sum(steps[:4]) - 3 * sum(steps[4:]))


def test_a_rate_by_the_scores_is_kept_and_beside_it_nothing_else_may_change(tmp_path: Path):
    plateau = dict(type='ReduceOnPlateauLR', monitor='loss', patience=3)
    run(tmp_path, 2, [plateau, *cosine(2)])
    with pytest.raises(ValueError, match=r'param_scheduler: T_max is 16 and was 8 in the checkpoint; beside a schedul'):
        run(tmp_path, 4, [plateau, *cosine(4)], resume=True)
    runner, _ = run(tmp_path, 4, [dict(plateau, patience=5), *cosine(2)], resume=True)
    assert (runner.param_schedulers[0].end, runner.param_schedulers[0].patience) == (4, 5)


def test_of_two_new_schedules_the_first_does_not_pass_for_what_the_second_was(tmp_path: Path):
    """The checkpoint has one; of two new ones the first goes by the scores, the second has the same settings."""
    plateau = SimpleNamespace(need_val_args=True, state_dict=lambda: dict(factor=0.1))
    plain = SimpleNamespace(state_dict=lambda: dict(factor=0.1))
    runner = SimpleNamespace(_resume=True, train_loop=None, param_schedulers=[plateau, plateau, plain])
    checkpoint = dict(optimizer={}, param_schedulers=[dict(factor=0.1)])
    with pytest.raises(ValueError, match=r'param_scheduler: factor is 0\.1 and was None in the checkpoint'):
        RepeatableHook().after_load_checkpoint(runner, checkpoint)


@pytest.mark.parametrize(('batch_size', 'iterations'), [(1, 4 + 4 + 8), (4, 4 + 4 + 2)])
def test_with_another_batch_size_epochs_stay_epochs(batch_size: int, iterations: int, tmp_path: Path):
    """Two epochs of 8 images in pairs, 8 iterations, then one of 8 single images or of 2 fours."""
    run(tmp_path, 2, cosine(3))
    runner, watch = run(tmp_path, 3, cosine(3), resume=True, batch_size=batch_size)
    length = 8 // batch_size
    assert (runner.epoch, runner.iter) == (3, 3 * length)
    np.testing.assert_allclose(
        watch.rates, [0.5 + 0.5 * math.cos(math.pi * step / (3 * length)) for step in range(2 * length, 3 * length)]
    )
    record = read_record(tmp_path)
    assert (record['epochs'], record['iterations'], record['images_seen']) == (3.0, iterations, 24)
    assert record['finished'] is not None


def test_iterations_at_two_batch_sizes_are_epochs_in_sum(tmp_path: Path):
    """2 iterations of 4 are an epoch, and 4 more of 2, another of 4 iterations, are the second."""
    run(tmp_path, 2, batch_size=4, loop='iterations')
    run(tmp_path, 6, batch_size=2, loop='iterations', resume=True)
    record = read_record(tmp_path)
    assert (record['epochs'], record['iterations'], record['images_seen']) == (2.0, 6, 16)


@pytest.mark.parametrize(('loop', 'length', 'stop'), [('epochs', 3, 1), ('iterations', 10, 5)])
@pytest.mark.parametrize('workers', [0, 2])
def test_a_resumed_run_draws_what_an_uninterrupted_one_draws(
    loop: str, length: int, stop: int, workers: int, tmp_path: Path
):
    """Iterations are resumed within the second pass over the photos, at its second batch of four."""
    options = dict(noise=1.0, workers=workers, loop=loop)
    schedule = cosine(3) if loop == 'epochs' else [dict(type='PolyLR', by_epoch=False)]
    whole, expected = run(tmp_path / 'whole', length, schedule, **options)
    (tmp_path / 'cut').mkdir()
    name = f'{"epoch" if loop == "epochs" else "iter"}_{stop}.pth'
    shutil.copy(tmp_path / 'whole' / name, tmp_path / 'cut')
    (tmp_path / 'cut' / 'last_checkpoint').write_text(str(tmp_path / 'cut' / name))
    cut, found = run(tmp_path / 'cut', length, schedule, resume=True, **options)
    done = stop * 4 if loop == 'epochs' else stop
    assert found.inputs == expected.inputs[done:]
    assert found.rates == expected.rates[done:]
    assert cut.model.w.item() == whole.model.w.item()


def test_no_two_epochs_augment_alike(tmp_path: Path):
    """The random parts of 8 equal numbers, in any order, differ from epoch to epoch."""
    _, watch = run(tmp_path, 3, noise=1.0, workers=2)
    epochs = [sorted(chain.from_iterable(watch.inputs[start : start + 4])) for start in (0, 4, 8)]
    assert all(a != b for a, b in pairwise(epochs))
    assert len(set(epochs[0])) == 8


@pytest.mark.parametrize(
    ('values', 'complaint'),
    [
        ([1, 1, math.nan, 1], 'iteration 3: loss nan; stopped'),
        ([1, 1, math.inf, 1], 'iteration 3: loss -inf; stopped'),
        ([0, 0, 3e38, 1], 'iteration 3: w is not finite; stopped, nothing saved'),
    ],
)
def test_a_loss_or_weight_that_is_no_number_stops_the_run_and_the_last_good_checkpoint_stays(
    values: list[float], complaint: str, tmp_path: Path
):
    """The third loss is w times NaN or infinity, w below 0; or 0, whose step of 10 times 3e38 float32 does not hold."""
    with pytest.raises(ValueError, match=complaint):
        run(tmp_path, 4, lr=10.0, batch_size=1, values=values, loop='iterations', interval=1, max_keep_ckpts=1)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_2.pth']
    assert torch.load(tmp_path / 'iter_2.pth', weights_only=False)['state_dict']['w'].isfinite()


def test_overflows_that_float16s_loss_scaling_skips_do_not_stop_a_run_unless_they_stay():
    """From 2**16, the scale is 1 after 16 halvings: the 17th in a row stops; a good loss between begins again."""
    from fashion_mmdet.experiments.invalid_loss import StopAtInvalidLoss

    runner, hook = MagicMock(work_dir='run', iter=0), StopAtInvalidLoss()
    current = runner.message_hub.get_scalar.return_value.current
    for value in [math.nan] * 16 + [1.0] + [math.nan] * 16:
        current.return_value = value
        hook.after_train_iter(runner, 0, outputs=dict(loss=value))
    with pytest.raises(ValueError, match='loss nan'):
        hook.after_train_iter(runner, 0, outputs=dict(loss=value))


@pytest.mark.slow
def test_a_resumed_training_ends_in_the_weights_of_an_uninterrupted_one(tiny_config: Path, tmp_path: Path):
    """The tiny detector with two workers and augmentation, from the end of its first epoch: weights and optimizer."""
    config = tmp_path / 'augmented.py'
    config.write_text(f"""
_base_ = '{tiny_config}'
train_dataloader = dict(num_workers=2, dataset=dict(pipeline=[
    dict(type='LoadScaled', scale=(192, 128), ratio_range=(0.8, 1.25)), dict(type='RandomFlip', prob=0.5),
    dict(type='RandomBlur', prob=0.5), dict(type='PackDetInputs')]))
""")
    whole, cut = tmp_path / 'whole', tmp_path / 'cut'
    assert train.main([str(config), '--work-dir', str(whole)]) == 0
    cut.mkdir()
    shutil.copy(whole / 'epoch_1.pth', cut)
    assert train.main([str(config), '--work-dir', str(cut), '--resume']) == 0
    expected, found = (torch.load(folder / 'epoch_2.pth', weights_only=False) for folder in (whole, cut))
    assert all(torch.equal(found['state_dict'][name], tensor) for name, tensor in expected['state_dict'].items())
    for index, state in expected['optimizer']['state'].items():
        assert all(torch.equal(found['optimizer']['state'][index][name], value) for name, value in state.items())
    assert found['optimizer']['param_groups'] == expected['optimizer']['param_groups']
